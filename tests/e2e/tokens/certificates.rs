//! The certificate file, however it arrives and whichever certificate it replaces.

use std::fs;
use std::io::Write;
use std::path::Path;

use cloudlet::{CertificateId, Event};
use rig::fleet_ca::FleetCa;
use serde_json::Value;

use super::wait_for_session;
use crate::support::{Gateway, THING, World};

type Sign = fn(&FleetCa, &Path) -> String;
type Install = fn(&Gateway, &str);

/// Writes the file like `cp`: truncated, then written.
fn copy(gateway: &Gateway, pem: &str) {
    gateway.install(pem);
}

/// Replaces the file atomically, as editors and careful programs do.
fn rename(gateway: &Gateway, pem: &str) {
    let draft = gateway.state("device.pem.draft");
    fs::write(&draft, pem).unwrap();
    fs::rename(draft, gateway.state("device.pem")).unwrap();
}

/// Writes over an interrupted connection: the second half comes after the first half was read and refused.
fn slowly(gateway: &Gateway, pem: &str) {
    let (first, second) = pem.split_at(pem.len() / 2);
    gateway.install(first);
    gateway.wait_for_words("identity.problem.message", "is cut off");
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(gateway.state("device.pem"))
        .unwrap();
    file.write_all(second.as_bytes()).unwrap();
}

/// Writes over a slow connection: in two pieces, and closes the file after the second one.
fn piecewise(gateway: &Gateway, pem: &str) {
    let (first, second) = pem.split_at(pem.len() / 2);
    let mut file = fs::File::create(gateway.state("device.pem")).unwrap();
    file.write_all(first.as_bytes()).unwrap();
    file.sync_all().unwrap();
    file.write_all(second.as_bytes()).unwrap();
}

#[test]
fn a_certificate_is_used_however_its_file_is_written() {
    let signers: [(&str, Sign); 2] = [
        ("v1", |ca, csr| ca.sign_v1(csr).unwrap()),
        ("v3", |ca, csr| ca.sign_v3(csr).unwrap()),
    ];
    let ways: [(&str, Install); 4] = [
        ("copied", copy),
        ("renamed", rename),
        ("slow", slowly),
        ("piecewise", piecewise),
    ];
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    for (version, sign) in signers {
        for (way, install) in ways {
            let place = world.gateway.state("device.pem");
            let first = !place.exists();
            let pem = sign(&world.ca, &csr);
            install(&world.gateway, &pem);
            let id = CertificateId::of_pem(&pem).unwrap().to_string();
            world.gateway.wait_for("identity.certificate_id", |shown| *shown == id);
            let identity = &world.gateway.status()["identity"];
            assert_eq!(identity["phase"], "ready", "{version}, {way}, first: {first}");
            assert_eq!(identity["problem"], Value::Null, "{version}, {way}");
            assert_eq!(identity["thing_name"], THING);
        }
        // The next writers begin without a file again, as at first boot.
        world.gateway.stop();
        fs::remove_file(world.gateway.state("device.pem")).unwrap();
        world.gateway.start();
        world.gateway.wait_for_csr();
    }
    world.gateway.stop();
}

#[test]
fn a_newer_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let mut world = World::new();
    world.bring_online();
    let old = world.certificate_id();
    let csr = world.gateway.state("device.csr");

    let newer = world.ca.sign_v3(&csr).unwrap();
    let id = CertificateId::of_pem(&newer).unwrap();
    assert_ne!(id, old);
    let seen = world.cloud.events().len();
    let pid = world.gateway.process().pid();
    world.gateway.install(&newer);
    world
        .gateway
        .wait_for("identity.certificate_id", |shown| *shown == id.to_string());
    assert_eq!(
        world.gateway.credentials().status,
        200,
        "the old credentials serve meanwhile"
    );
    // AWS must register the newer one first, so the drop is expected again.
    world.gateway.wait_for_text("provisioning.phase", "pending");
    assert_eq!(world.gateway.status()["provisioning"]["problem"]["remedy"], "none");
    wait_for_session(&world, seen, &id);
    world
        .cloud
        .wait_for_after(
            seen,
            crate::support::SOON,
            |event| matches!(event, Event::Credentials { certificate, status: 200, .. } if *certificate == id),
        )
        .unwrap();
    world.gateway.wait_online();
    assert_eq!(world.cloud.things().len(), 1, "it is the same thing");

    let seen = world.cloud.events().len();
    let stranger = world.ca.for_another_key("/C=IN/O=Example/CN=gw-1").unwrap();
    for bad in [stranger.as_str(), &newer[..newer.len() / 2], ""] {
        world.gateway.install(bad);
        world.gateway.wait_for_words("state", "attention");
        let status = world.gateway.status();
        assert_eq!(status["identity"]["phase"], "ready", "{status:#}");
        assert_eq!(status["identity"]["certificate_id"], id.to_string(), "{status:#}");
        assert_eq!(status["session"]["phase"], "connected", "{status:#}");
        assert_eq!(world.gateway.credentials().status, 200);
        world.gateway.install(&newer);
        world.gateway.wait_for_text("state", "ready");
    }
    fs::remove_file(world.gateway.state("device.pem")).unwrap();
    world.gateway.wait_for_words(
        "identity.problem.message",
        "was removed; the certificate that was read before stays in use",
    );
    assert!(
        !world
            .cloud
            .events()
            .iter()
            .skip(seen)
            .any(|event| matches!(event, Event::TlsAccepted { .. } | Event::Disconnected { .. })),
        "nothing was changed: {:?}",
        &world.cloud.events()[seen..]
    );
    assert_eq!(world.gateway.process().pid(), pid);
    world.gateway.stop();
}
