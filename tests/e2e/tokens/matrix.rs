//! Promise 1 for each kind of token, kind of key and version of TLS: from an empty token to valid credentials.

use std::thread;

use cloudlet::switches::{Switches, TlsVersions};
use cloudlet::{Endpoint, Event, Options};
use rig::token::{KeyKind, Token};
use rig::wait;

use super::{Empty, handshakes, private_keys, signatures, soft_hsm, tpm};
use crate::support::{SOON, World, options};

const VERSIONS: [(TlsVersions, &str); 2] = [(TlsVersions::Only12, "TLSv1_2"), (TlsVersions::Only13, "TLSv1_3")];

/// Tests both versions concurrently: most of their time is the pause after the first drop.
fn gets_online(empty: Empty, kind: KeyKind) {
    thread::scope(|scope| {
        for version in VERSIONS {
            scope.spawn(move || gets_online_over(version, empty(), kind));
        }
    });
}

fn gets_online_over((tls_versions, version): (TlsVersions, &str), token: Box<dyn Token>, kind: KeyKind) {
    let options = options();
    let switches = Switches {
        tls_versions,
        ..options.switches
    };
    let mut world = World::with(token, Options { switches, ..options });
    let generate = format!("[token]\ngenerate = \"{}\"\n", kind.word());
    world.gateway.configure("[token]\n", &generate);
    world.bring_online();

    let keys = private_keys(&*world.token);
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!(key.label, "device");
    assert!(
        key.is_sensitive() && key.is_never_extractable() && key.is_local(),
        "{key:?}"
    );
    assert_eq!(world.gateway.status()["token"]["algorithm"], kind.word());

    let id = world.certificate_id();
    for wanted in [Endpoint::Mqtt, Endpoint::Credentials] {
        let shown: Vec<_> = world
            .cloud
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::TlsAccepted {
                    endpoint,
                    version,
                    certificate,
                    ..
                } if endpoint == wanted => Some((version, certificate)),
                _ => None,
            })
            .collect();
        assert!(!shown.is_empty(), "nobody came to the {wanted} endpoint");
        for handshake in shown {
            assert_eq!(handshake, (version.to_owned(), id.clone()), "{wanted}");
        }
    }
    // One for the signing request; the test whether an RSA key supports PSS is not counted. A handshake may be under way between the two
    // counts.
    wait::until(
        SOON,
        "one signature for each handshake, and one for the request",
        || signatures(&world.gateway) == 1 + handshakes(&world),
    )
    .unwrap();
    world.gateway.stop();
}

#[test]
fn promise_1_softhsm_ec_p256() {
    gets_online(soft_hsm, KeyKind::EcP256);
}

#[test]
fn promise_1_softhsm_ec_p384() {
    gets_online(soft_hsm, KeyKind::EcP384);
}

#[test]
fn promise_1_softhsm_rsa_2048() {
    gets_online(soft_hsm, KeyKind::Rsa2048);
}

#[test]
fn promise_1_softhsm_rsa_3072() {
    gets_online(soft_hsm, KeyKind::Rsa3072);
}

#[test]
fn promise_1_tpm_ec_p256() {
    gets_online(tpm, KeyKind::EcP256);
}

#[test]
fn promise_1_tpm_ec_p384() {
    gets_online(tpm, KeyKind::EcP384);
}

#[test]
fn promise_1_tpm_rsa_2048() {
    gets_online(tpm, KeyKind::Rsa2048);
}
