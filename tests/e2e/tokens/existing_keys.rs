//! Keys that somebody else has created, or will create.

use rig::token::KeyKind;

use super::{Empty, private_keys, public_key_of, soft_hsm, tpm, verified};
use crate::support::{World, options};

#[test]
fn an_existing_key_of_any_kind_is_used() {
    let cases: [(Empty, KeyKind); 5] = [
        (soft_hsm, KeyKind::EcP256),
        (soft_hsm, KeyKind::EcP384),
        (soft_hsm, KeyKind::Rsa2048),
        (tpm, KeyKind::EcP256),
        (tpm, KeyKind::Rsa2048),
    ];
    for (empty, kind) in cases {
        let mut world = World::with(empty(), options());
        world.token.generate(kind, "device", "01").unwrap();
        let objects = world.token.objects().unwrap();
        world.gateway.start();
        let csr = world.gateway.wait_for_csr();
        verified(&csr, &[]);
        assert_eq!(world.gateway.status()["token"]["algorithm"], kind.word());
        assert_eq!(world.token.objects().unwrap(), objects, "{kind:?}");
        world.gateway.stop();
    }
}

#[test]
fn promise_9_generate_never_waits_for_somebody_elses_key() {
    for empty in [soft_hsm, tpm] {
        let mut world = World::with(empty(), options());
        world.gateway.configure("[token]\n", "[token]\ngenerate = \"never\"\n");
        world.gateway.start();
        world
            .gateway
            .wait_for_words("token.problem.message", "no private key matches pkcs11:token=gateway");
        let status = world.gateway.status();
        assert_eq!(status["token"]["phase"], "waiting");
        assert_eq!(status["identity"]["phase"], "no-key");
        assert_eq!(status["provisioning"]["phase"], "no-key");
        assert_eq!(status["state"], "attention", "{status:#}");
        let step = status["token"]["problem"]["next_step"].as_str().unwrap();
        assert!(
            step.contains("make the key") && step.contains("token.generate"),
            "{step}"
        );
        assert_eq!(private_keys(&*world.token), []);

        world.token.generate(KeyKind::EcP256, "device", "01").unwrap();
        let csr = world.gateway.wait_for_csr();
        assert_eq!(public_key_of(&csr), world.token.public_key("01").unwrap());
        assert_eq!(private_keys(&*world.token).len(), 1);
        world.gateway.stop();
    }
}
