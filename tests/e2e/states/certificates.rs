//! States of the certificate, before it exists and while the gateway is online with it.

use std::fs;
use std::time::{Duration, SystemTime};

use cloudlet::switches::FirstContact;
use cloudlet::{CertificateId, CertificateStatus};
use rig::fleet_ca::Validity;
use rig::wait;

use super::{Case, ONLINE, Observed};
use crate::clock::UnpluggedToken;
use crate::registry::{certificate_for, register};
use crate::support::{SOON, THING, options};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn promise_16_every_output_follows_a_gateway_to_its_first_session() {
    let mut observed = Observed::new();
    let token = UnpluggedToken::new(&*observed.world.token);
    observed.world.gateway.start();
    observed.expect("the token is not there yet", "no initialised token is visible in");

    token.plug_in();
    observed.expect("the certificate is awaited", "waiting for a certificate at");
    observed.expect_end_of("the token is not there yet");

    let foreign = observed.world.ca.for_another_key("/CN=gw-1").unwrap();
    observed.world.gateway.install(&foreign);
    observed.expect("the certificate is for another key", "is for another key");

    let (switches, csr) = (
        observed.world.cloud.switches(),
        observed.world.gateway.state("device.csr"),
    );
    switches.set(|switches| switches.first_contact = FirstContact::Never);
    let pem = observed.world.ca.sign_v1(&csr).unwrap();
    observed.world.gateway.install(&pem);
    observed.expect(
        "AWS registers the certificate",
        "as it does while it registers a new certificate",
    );
    observed.expect_end_of("the certificate is for another key");

    observed
        .world
        .cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Drop);
    observed.retry(&["session"]);
    observed.expect_end_of("AWS registers the certificate");
    observed.expect("everything works", ONLINE);
}

/// Installs a certificate that AWS knows, with this lifetime and this remaining time.
fn install_ending(observed: &Observed, lifetime: Duration, left: Duration) -> CertificateId {
    let (world, now) = (&observed.world, SystemTime::now());
    let end = now + left;
    let csr = world.gateway.state("device.csr");
    let pem = world
        .ca
        .sign_v3_valid(&csr, Validity::Between(end - lifetime, end))
        .unwrap();
    let id = register(&world.cloud, &pem, THING, &options().policy);
    world.gateway.install(&pem);
    id
}

/// Reinstalls the certificate with which the gateway came online.
fn install_first(observed: &mut Observed) {
    let path = observed.world.gateway.state("first.pem");
    observed.world.gateway.install(&fs::read_to_string(path).unwrap());
}

const CASES: &[Case] = &[
    Case {
        name: "a certificate for another key was put over the good one",
        words: "; but ",
        provoke: |observed| {
            let foreign = observed.world.ca.for_another_key("/CN=gw-1").unwrap();
            observed.world.gateway.install(&foreign);
        },
        heal: install_first,
    },
    Case {
        name: "the certificate ends in 20 days",
        words: "in 19 days; next: have the signing request signed again",
        provoke: |observed| {
            install_ending(observed, 220 * DAY, 20 * DAY);
        },
        heal: install_first,
    },
    Case {
        name: "the certificate ends in 5 days",
        words: "in 4 days, and AWS accepts no connection",
        provoke: |observed| {
            install_ending(observed, 205 * DAY, 5 * DAY);
        },
        heal: install_first,
    },
    Case {
        name: "a certificate of 10 days ends in 3",
        words: "in 2 days; next: have the signing request signed again",
        provoke: |observed| {
            install_ending(observed, 10 * DAY, 3 * DAY);
        },
        heal: install_first,
    },
    Case {
        name: "the certificate has expired, and the session continues",
        words: "expired on ",
        provoke: |observed| {
            let gateway = &observed.world.gateway;
            // A busy machine may need longer for the session with the certificate, which then gets more time.
            let is_in_use = [25, 50, 100].into_iter().map(Duration::from_secs).any(|left| {
                let id = install_ending(observed, 200 * DAY, left);
                let session = || gateway.status()["session"].clone();
                wait::until(left, "the session", || session()["certificate_id"] == id.to_string()).is_ok()
            });
            assert!(is_in_use, "{:#}", gateway.status());
            gateway.wait_longer_for(3 * SOON, "summary", |summary| {
                summary.as_str().is_some_and(|summary| summary.contains("expired on "))
            });
        },
        heal: install_first,
    },
    Case {
        name: "AWS registers a new certificate, and the one before is used",
        words: ONLINE,
        provoke: |observed| {
            let world = &observed.world;
            let (pem, id) = certificate_for(world, &world.gateway.state("device.csr"));
            world
                .cloud
                .set_certificate_status(&id, CertificateStatus::Inactive)
                .unwrap();
            world.gateway.install(&pem);
        },
        heal: install_first,
    },
];

#[test]
fn promise_16_every_output_tells_of_certificates_that_end_or_cannot_be_used() {
    let mut observed = Observed::online();
    observed.expect("everything works", ONLINE);
    let gateway = &observed.world.gateway;
    fs::copy(gateway.state("device.pem"), gateway.state("first.pem")).unwrap();
    observed.go_through(CASES);
}
