//! Certificates that cannot be used: each is refused with the reason, and the daemon waits for another one.

use std::fs;
use std::time::{Duration, SystemTime};

use cloudlet::CertificateId;
use rig::fleet_ca::{FleetCa, Validity};
use serde_json::Value;

use crate::support::{Gateway, SOON, World};

/// The content of the certificate file, and the expected message: cause and next step.
struct Case {
    name: &'static str,
    pem: String,
    cause: &'static str,
    next: &'static str,
}

fn cases(world: &World, good: &str) -> Vec<Case> {
    let csr = world.gateway.state("device.csr");
    let ca = &world.ca;
    let case = |name, pem, cause, next| Case { name, pem, cause, next };
    let another = ca.for_another_key("/C=IN/O=Example/CN=gw-1").unwrap();
    let root = ca.ca_pem().unwrap();
    vec![
        case(
            "another key",
            another.clone(),
            "is for another key than the one in the token",
            "have the signing request device.csr signed",
        ),
        case(
            "expired",
            ca.sign_v3_valid(&csr, Validity::Expired).unwrap(),
            "expired on 20",
            "signed again",
        ),
        case(
            "not yet valid",
            ca.sign_v3_valid(&csr, Validity::NotYet).unwrap(),
            "is valid only from 20",
            "timedatectl",
        ),
        case(
            "truncated",
            good[..good.len() / 2].to_owned(),
            "is cut off",
            "copy the certificate there again",
        ),
        case("empty", String::new(), "is empty", "copy the certificate there again"),
        case(
            "no X.509",
            "-----BEGIN CERTIFICATE-----\nZ2F0ZXBvc3Q=\n-----END CERTIFICATE-----\n".to_owned(),
            "has a certificate (number 1) whose content is not an X.509 certificate",
            "copy the certificate there again",
        ),
        case(
            "a CA's",
            root.clone(),
            "begins with a CA certificate (C=IN, O=AMZ)",
            "CA certificates belong in identity.ca-chain",
        ),
        case(
            "a name that no thing can have",
            ca.sign_as(&csr, "/C=IN/O=Example/CN=gateway number 1").unwrap(),
            "\"gateway number 1\" cannot be a thing name",
            "without changing its subject",
        ),
        case(
            "no name",
            ca.sign_as(&csr, "/C=IN/O=Example").unwrap(),
            "has no common name",
            "without changing its subject",
        ),
        case(
            "two names",
            ca.sign_as(&csr, "/C=IN/CN=gw-1/CN=gw-2").unwrap(),
            "has more than one common name",
            "without changing its subject",
        ),
        case(
            "signed by a CA of the same name",
            FleetCa::another().unwrap().sign_v3(&csr).unwrap(),
            "which has the issuer's name and another key",
            "put the certificate of the CA that has signed it into identity.ca-chain",
        ),
        case(
            "the request",
            fs::read_to_string(&csr).unwrap(),
            "is the certificate signing request, not the certificate",
            "have it signed",
        ),
        case(
            "SHA-1",
            ca.sign_v3_digest(&csr, "-sha1").unwrap(),
            "is signed with RSA with SHA-1, which AWS IoT does not accept",
            "signed again with SHA-256",
        ),
    ]
}

/// Waits until the file is refused for this reason, whatever was reported before.
fn is_refused(gateway: &Gateway, case: &Case, phase: &str) {
    gateway.install(&case.pem);
    gateway.wait_for_words("identity.problem.message", case.cause);
    let identity = &gateway.status()["identity"];
    let problem = &identity["problem"];
    assert_eq!(identity["phase"], phase, "{}: {identity:#}", case.name);
    let place = gateway.state("device.pem").display().to_string();
    assert!(problem["message"].as_str().unwrap().contains(&place), "{problem:#}");
    assert!(
        problem["next_step"].as_str().unwrap().contains(case.next),
        "{}: {problem:#}",
        case.name
    );
}

fn is_taken(gateway: &Gateway, pem: &str) {
    let id = CertificateId::of_pem(pem).unwrap().to_string();
    gateway.install(pem);
    gateway.wait_for("identity.problem", Value::is_null);
    let identity = &gateway.status()["identity"];
    assert_eq!(
        (&identity["phase"], &identity["certificate_id"]),
        (&"ready".into(), &id.into())
    );
}

#[test]
fn promise_6_an_unusable_certificate_is_refused_until_a_good_one_comes() {
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    let good = world.ca.sign_v3(&csr).unwrap();
    let cases = cases(&world, &good);
    for case in &cases {
        is_refused(&world.gateway, case, "refused");
    }
    assert_eq!(world.gateway.status()["state"], "attention");
    assert_eq!(world.gateway.status()["provisioning"]["phase"], "no-certificate");
    is_taken(&world.gateway, &good);
    // One is refused as a replacement for a valid one as well, and changes nothing.
    let id = CertificateId::of_pem(&good).unwrap().to_string();
    for case in &cases[..1] {
        is_refused(&world.gateway, case, "ready");
        assert_eq!(
            world.gateway.status()["identity"]["certificate_id"],
            id,
            "{}",
            case.name
        );
        is_taken(&world.gateway, &good);
    }
    world.gateway.stop();
}

#[test]
fn promise_8_a_certificate_that_begins_in_a_moment_is_taken_when_its_time_comes() {
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    // The clock of the machine that signed it is slightly ahead, which is not an error.
    let is_announced = |identity: &Value| {
        let problem = &identity["problem"];
        let words = problem["message"].as_str().unwrap_or_default();
        words.contains("on and will be used then") && problem["remedy"] == "none"
    };
    // On a busy machine the time may come before the daemon has looked; then a certificate that begins later is tried.
    let mut waits = [8, 30, 120].into_iter().map(Duration::from_secs);
    let id = waits.find_map(|wait| {
        let begin = SystemTime::now() + wait;
        let validity = Validity::Between(begin, begin + Duration::from_secs(3600));
        let pem = world.ca.sign_v3_valid(&csr, validity).unwrap();
        let id = CertificateId::of_pem(&pem).unwrap().to_string();
        world.gateway.install(&pem);
        let identity = world.gateway.wait_for("identity", |identity| {
            is_announced(identity) || identity["certificate_id"] == id.as_str()
        });
        is_announced(&identity).then_some(id)
    });
    let id = id.expect("no certificate was announced");
    world
        .gateway
        .wait_longer_for(3 * SOON, "identity.certificate_id", |taken| *taken == id.as_str());
    world.gateway.wait_for_text("identity.phase", "ready");
    world.gateway.stop();
}
