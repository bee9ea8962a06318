//! A certificate that AWS has accepted before, and does not accept any more.

use cloudlet::CertificateStatus;
use cloudlet::switches::{BadCertificate, FirstContact, TlsVersions};

use crate::cloud_view::{chains, mark};
use crate::registry::{bring_online_registered, certificate_for};
use crate::support::World;

#[test]
fn promise_8_a_deleted_certificate_is_registered_again() {
    let mut world = World::new();
    let id = bring_online_registered(&mut world);
    world
        .cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Never);
    let before = mark(&world.cloud);
    world.cloud.forget_certificate(&id).unwrap();
    world
        .gateway
        .wait_for_words("provisioning.problem.message", "which it has accepted before");
    let provisioning = &world.gateway.status()["provisioning"];
    assert_eq!(
        provisioning["phase"], "provisioned",
        "the record decides: {provisioning}"
    );
    assert_eq!(world.gateway.credentials().status, 200, "what was fetched stays good");
    world
        .cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Drop);
    world.gateway.wait_longer_online();
    let chains = chains(&world.cloud, before);
    assert_eq!(
        chains.get(..4),
        Some(&[1, 1, 1, 2][..]),
        "the CA is shown again: {chains:?}"
    );
    assert_eq!(world.cloud.things().len(), 1);
}

#[test]
fn promise_8_an_inactive_certificate_is_retried_and_a_revoked_one_replaced() {
    let mut world = World::new();
    let id = bring_online_registered(&mut world);
    world
        .cloud
        .set_certificate_status(&id, CertificateStatus::Inactive)
        .unwrap();
    world.gateway.wait_for_log("the connection to localhost");
    world.gateway.wait_for_log("dropped the connection before CONNACK");
    world.gateway.wait_for_words(
        "summary",
        "AWS drops every connection of this certificate, which it has accepted before",
    );
    let log = world.gateway.log();
    assert!(!log.contains("registers a new certificate"), "{log}");
    assert_eq!(world.gateway.credentials().status, 200, "what was fetched stays good");
    world
        .cloud
        .set_certificate_status(&id, CertificateStatus::Active)
        .unwrap();
    world.gateway.wait_online();
    world.gateway.stop();

    world
        .cloud
        .set_certificate_status(&id, CertificateStatus::Revoked)
        .unwrap();
    world.gateway.start();
    world.gateway.wait_for_log("dropped the connection before CONNACK");
    let (pem, new) = certificate_for(&world, &world.gateway.state("device.csr"));
    world.gateway.install(&pem);
    world
        .gateway
        .wait_for("identity.certificate_id", |id| id == new.as_str());
    world.gateway.wait_online();
}

#[test]
fn promise_8_an_alert_in_the_handshake_counts_as_a_drop() {
    let mut world = World::new();
    let id = bring_online_registered(&mut world);
    world.gateway.stop();
    world
        .cloud
        .set_certificate_status(&id, CertificateStatus::Inactive)
        .unwrap();
    // With TLS 1.3 the client has finished before the server checks its certificate, and reads the alert later.
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        world.cloud.switches().set(|switches| {
            switches.bad_certificate = BadCertificate::TlsAlert;
            switches.tls_versions = versions;
        });
        world.gateway.start();
        world
            .gateway
            .wait_for_log("dropped the connection before CONNACK (TLS alert ");
        world.gateway.stop();
    }
    world.gateway.start();
    world
        .cloud
        .set_certificate_status(&id, CertificateStatus::Active)
        .unwrap();
    world.gateway.wait_online();
}
