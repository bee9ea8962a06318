//! One key for a gateway's life: never deleted, never replaced, and used for no more signatures than necessary.

use std::fs;

use super::{handshakes, signatures, soft_hsm, tpm, wait_for_session};
use crate::support::{Gateway, World, options};

type Stop = fn(&mut Gateway);

#[test]
fn promise_1_no_restart_replaces_the_key_or_the_request() {
    for new_token in [soft_hsm, tpm] {
        let mut world = World::with(new_token(), options());
        world.gateway.start();
        let csr_path = world.gateway.wait_for_csr();
        assert_eq!(signatures(&world.gateway), 1, "one signature, for the signing request");
        let objects = world.token.objects().unwrap();
        let csr = fs::read(&csr_path).unwrap();
        let written = fs::metadata(&csr_path).unwrap().modified().unwrap();

        let stops: [(&str, Stop); 2] = [("SIGTERM", Gateway::stop), ("SIGKILL", Gateway::kill)];
        for (name, stop) in stops {
            stop(&mut world.gateway);
            world.gateway.start();
            world.gateway.wait_for_csr();
            // The daemon counts from its start.
            assert_eq!(signatures(&world.gateway), 0, "after {name}");
            assert_eq!(world.token.objects().unwrap(), objects, "after {name}");
            assert_eq!(fs::read(&csr_path).unwrap(), csr, "after {name}");
            assert_eq!(
                fs::metadata(&csr_path).unwrap().modified().unwrap(),
                written,
                "after {name}"
            );
        }

        world.gateway.stop();
        world
            .gateway
            .configure("[token]\n", "[token]\ngenerate = \"rsa-2048\"\n");
        world.gateway.start();
        world.gateway.wait_for_csr();
        assert_eq!(
            world.token.objects().unwrap(),
            objects,
            "a changed token.generate creates no other key"
        );
        assert_eq!(world.gateway.status()["token"]["algorithm"], "ec-p256");
        world.gateway.stop();
    }
}

#[test]
fn promise_1_each_connection_costs_one_signature_and_nothing_else_does() {
    let mut world = World::new();
    world.bring_online();
    let id = world.certificate_id();
    for _ in 0..3 {
        let (signatures_before, handshakes_before) = (signatures(&world.gateway), handshakes(&world));
        for _ in 0..20 {
            assert_eq!(world.gateway.credentials().status, 200);
        }
        assert_eq!(
            (signatures(&world.gateway), handshakes(&world)),
            (signatures_before, handshakes_before),
            "credentials come from the cache"
        );
        let events_before = world.cloud.events().len();
        assert_eq!(world.cloud.disconnect(crate::support::THING), 1);
        wait_for_session(&world, events_before, &id);
        world.gateway.wait_for_text("session.phase", "connected");
        assert_eq!(
            (signatures(&world.gateway), handshakes(&world)),
            (signatures_before + 1, handshakes_before + 1)
        );
    }
    world.gateway.stop();
}
