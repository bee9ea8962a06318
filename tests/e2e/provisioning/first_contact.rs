//! The first connections with a new certificate.

use cloudlet::{CertificateId, Event, JitpStep, Options};
use rig::token::SoftHsm;

use crate::cloud_view::{chains, connects, mark, refusals, session_present};
use crate::registry::{bring_online_registered, certificate_for};
use crate::support::{PIN, SOON, World, options};

#[test]
fn promise_2_a_template_that_the_certificate_does_not_satisfy_is_waited_out_and_a_better_one_taken() {
    let mut world = World::new();
    // The other attributes stay; a subject with a common name alone would be valid too.
    world.gateway.configure("country = \"IN\", ", "");
    world.gateway.start();
    world.certify();
    let failed = |event: &Event| matches!(event, Event::Jitp { step: JitpStep::Failed { reason }, .. } if reason.contains("Country"));
    world.cloud.wait_for(SOON, failed).unwrap();
    world.gateway.wait_for_text("provisioning.phase", "pending");
    world.gateway.wait_for_words(
        "provisioning.problem.message",
        "as it does while it registers a new certificate",
    );
    assert_eq!(
        world.gateway.status()["state"],
        "waiting",
        "for all it can know, this is how it goes"
    );
    let first = std::fs::read(world.gateway.state("device.csr")).unwrap();
    world.gateway.stop();

    world
        .gateway
        .configure("organization", "country = \"IN\", organization");
    world.gateway.start();
    rig::wait::until(SOON, "a new request", || {
        std::fs::read(world.gateway.state("device.csr")).is_ok_and(|now| now != first)
    })
    .unwrap();
    let pem = world.ca.sign_v1(&world.gateway.state("device.csr")).unwrap();
    let id = CertificateId::of_pem(&pem).unwrap();
    world.gateway.install(&pem);
    world
        .gateway
        .wait_for("identity.certificate_id", |now| now == id.as_str());
    world.gateway.wait_online();
}

#[test]
fn promise_8_an_inactive_ca_or_one_without_auto_registration_is_retried() {
    let mut world = World::new();
    let ca = world
        .cloud
        .account()
        .read(|account| account.cas.iter().next().unwrap().id.clone());
    let account = world.cloud.account();
    account.change(|account| account.cas.set_active(&ca, false)).unwrap();
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("provisioning.phase", "pending");
    account.change(|account| account.cas.set_active(&ca, true)).unwrap();
    account
        .change(|account| account.cas.set_auto_registration(&ca, false))
        .unwrap();
    // A restart tries at once: the wait is for AWS's limit on the CONNECTs of one process.
    world.gateway.stop();
    world.gateway.start();
    world
        .gateway
        .wait_for("provisioning.attempts", |attempts| attempts == 2);
    assert_eq!(
        refusals(&world.cloud, 0),
        ["the CA is INACTIVE", "the CA's auto-registration is disabled"]
    );
    account
        .change(|account| account.cas.set_auto_registration(&ca, true))
        .unwrap();
    world.gateway.wait_online();
    assert!(!world.gateway.log().contains("error:"), "{}", world.gateway.log());
}

#[test]
fn promise_8_aws_limit_of_one_connect_a_second_is_kept() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let as_aws = Options {
        policy: options().policy,
        ..Options::default()
    };
    let mut world = World::with(Box::new(token), as_aws);
    world.bring_online();
    for _ in 0..2 {
        let before = mark(&world.cloud);
        world.cloud.disconnect(crate::support::THING);
        session_present(&world.cloud, before);
    }
    // Two new certificates, the second one installed while the gateway changes to the first.
    let csr = world.gateway.state("device.csr");
    let before = mark(&world.cloud);
    let (first, first_id) = certificate_for(&world, &csr);
    let (second, second_id) = certificate_for(&world, &csr);
    world.gateway.install(&first);
    world
        .gateway
        .wait_for("identity.certificate_id", |id| id == first_id.as_str());
    world.gateway.install(&second);
    let with_second =
        |event: &Event| matches!(event, Event::Connected { certificate, .. } if *certificate == second_id);
    world.cloud.wait_for_after(before, SOON, with_second).unwrap();
    world.gateway.wait_online();

    assert!(connects(&world.cloud, 0) >= 5);
    let throttled = refusals(&world.cloud, 0);
    assert!(
        throttled.iter().all(|reason| reason.contains("PENDING_ACTIVATION")),
        "{throttled:?}"
    );
}

#[test]
fn promise_2_the_chain_is_sent_only_until_aws_has_accepted_the_certificate() {
    let mut world = World::new();
    world.bring_online();
    assert_eq!(chains(&world.cloud, 0), [2, 2]);
    let before = mark(&world.cloud);
    world.cloud.disconnect(crate::support::THING);
    assert!(session_present(&world.cloud, before));
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_online();
    assert_eq!(chains(&world.cloud, before), [1, 1]);
    let not_signed = |event: &Event| matches!(event, Event::TlsRefused { .. });
    assert!(
        !world.cloud.events().iter().any(not_signed),
        "every handshake had its SNI"
    );
}

#[test]
fn a_certificate_registered_by_hand_is_online_at_its_first_connection() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    assert_eq!(connects(&world.cloud, 0), 1);
    assert_eq!(world.gateway.status()["provisioning"]["attempts"], 0);
}
