//! A new certificate is tried on a separate connection before it replaces the one in use.

use std::fs;

use cloudlet::{CertificateId, CertificateStatus, Cloudlet, Event};

use crate::check::check;
use crate::cloud_view::{connects, end_of_connection, mark};
use crate::command::{contains_all, run};
use crate::registry::{bring_online_registered, certificate_for};
use crate::support::{SOON, THING, World};

/// Waits until AWS has accepted a connection with this certificate after `mark`; returns whether the session was resumed.
fn connected_with(cloud: &Cloudlet, mark: usize, id: &CertificateId) -> bool {
    let with_it = |event: &Event| matches!(event, Event::Connected { certificate, .. } if certificate == id);
    match cloud.wait_for_after(mark, SOON, with_it) {
        Ok(Event::Connected { session_present, .. }) => session_present,
        other => panic!("no connection with {id}: {other:?}"),
    }
}

/// Returns a gateway that is online, and a certificate for it that AWS knows but does not accept.
fn online_and_refused() -> (World, CertificateId, CertificateId) {
    let mut world = World::new();
    let old = bring_online_registered(&mut world);
    let (pem, new) = certificate_for(&world, &world.gateway.state("device.csr"));
    let status = CertificateStatus::Inactive;
    world.cloud.set_certificate_status(&new, status).unwrap();
    world.gateway.install(&pem);
    world.gateway.wait_for_words(
        "provisioning.problem.message",
        &format!("meanwhile certificate {}", &old.as_str()[..12]),
    );
    (world, old, new)
}

#[test]
fn promise_8_a_certificate_that_aws_refuses_costs_neither_session_nor_credentials() {
    let (mut world, old, new) = online_and_refused();
    let status = world.gateway.status();
    assert_eq!(status["provisioning"]["phase"], "pending");
    assert_eq!(status["identity"]["certificate_id"], new.as_str());
    assert_eq!(status["session"]["phase"], "connected");
    assert_eq!(status["session"]["connects"], 1, "the session was never interrupted");
    assert_eq!(status["state"], "ready", "{status}");
    let check = &mut check(&world.gateway, &world.cloud, &[]);
    let (_, out, _) = run(check);
    contains_all(&out, &["warn provisioning", "meanwhile certificate"]);

    // A restart does not change that either: the accepted certificate is stored.
    world.gateway.stop();
    let before = mark(&world.cloud);
    world.gateway.start();
    assert!(connected_with(&world.cloud, before, &old), "the session was kept");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world
        .gateway
        .wait_for("provisioning.attempts", |attempts| attempts.as_u64() >= Some(2));
    assert_eq!(world.gateway.status()["session"]["connects"], 1);

    // Once AWS accepts the new one, it is used, and the session continues.
    let before = mark(&world.cloud);
    world
        .cloud
        .set_certificate_status(&new, CertificateStatus::Active)
        .unwrap();
    assert!(connected_with(&world.cloud, before, &new), "the session goes on");
    world.gateway.wait_for_text("provisioning.phase", "provisioned");
    world.gateway.stop();
    let before = mark(&world.cloud);
    world.gateway.start();
    connected_with(&world.cloud, before, &new);
    assert_eq!(connects(&world.cloud, before), 1);
    let log = world.gateway.log();
    assert!(!log.contains("another client has taken over the session"), "{log}");
    assert!(!log.contains("error:"), "{log}");
}

#[test]
fn a_certificate_registered_by_aws_replaces_the_old_one_without_a_gap() {
    let mut world = World::new();
    world.bring_online();
    let csr = world.gateway.state("device.csr");
    let pem = world.ca.sign_v1(&csr).unwrap();
    let (before, new) = (mark(&world.cloud), CertificateId::of_pem(&pem).unwrap());
    world.gateway.install(&pem);
    assert!(connected_with(&world.cloud, before, &new), "the session goes on");
    world.gateway.wait_for_text("provisioning.phase", "provisioned");
    world.gateway.wait_for("session.connects", |connects| connects == 2);
    let reason = end_of_connection(&world.cloud, before);
    assert_eq!(reason, "DUPLICATE_CLIENTID");
    let log = world.gateway.log();
    assert!(!log.contains("the connection to localhost"), "{log}");
    assert!(!log.contains("another client has taken over the session"), "{log}");
}

#[test]
fn restoring_the_old_file_ends_the_trial() {
    let (world, old, _) = online_and_refused();
    let kept = fs::read_to_string(world.gateway.state("proven.pem")).unwrap();
    assert_eq!(CertificateId::of_pem(&kept).unwrap(), old);
    world.gateway.install(&kept);
    world
        .gateway
        .wait_for("identity.certificate_id", |id| id == old.as_str());
    world.gateway.wait_for_text("provisioning.phase", "provisioned");
    let status = world.gateway.status();
    assert_eq!(status["session"]["connects"], 1);
    assert!(status["provisioning"]["problem"].is_null(), "{status}");
}

#[test]
fn a_revoked_certificate_and_one_that_is_not_active_yet_take_turns() {
    let (world, old, new) = online_and_refused();
    let before = mark(&world.cloud);
    world
        .cloud
        .set_certificate_status(&old, CertificateStatus::Revoked)
        .unwrap();
    world.gateway.wait_for_text("session.phase", "waiting");
    world
        .cloud
        .set_certificate_status(&new, CertificateStatus::Active)
        .unwrap();
    connected_with(&world.cloud, before, &new);
    world.gateway.wait_online();
}

#[test]
fn promise_6_a_bad_file_changes_nothing_even_at_a_start() {
    let mut world = World::new();
    let id = bring_online_registered(&mut world);
    world.gateway.stop();
    world.gateway.install("-----BEGIN CERTIFICATE-----\nMIIB");
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    let status = world.gateway.status();
    assert_eq!(status["identity"]["certificate_id"], id.as_str());
    let why = status["identity"]["problem"]["message"].as_str().unwrap();
    assert!(why.contains("device.pem is cut off"), "{why}");
    // A file that was removed was removed on purpose.
    world.gateway.stop();
    fs::remove_file(world.gateway.state("device.pem")).unwrap();
    world.gateway.start();
    world.gateway.wait_for_text("identity.phase", "no-certificate");
}

#[test]
fn a_changed_thing_name_ends_the_presence_of_the_old_one() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let csr = world.gateway.state("device.csr");
    let pem = world.ca.sign_as(&csr, "/C=IN/O=Example/CN=gw-2").unwrap();
    let (before, new) = (mark(&world.cloud), CertificateId::of_pem(&pem).unwrap());
    world.gateway.install(&pem);
    assert!(!connected_with(&world.cloud, before, &new), "it is another session");
    world.gateway.wait_for_text("session.client_id", "gw-2");
    let reason = end_of_connection(&world.cloud, before);
    assert!(reason.contains("DISCONNECT"), "{THING}: {reason}");
}
