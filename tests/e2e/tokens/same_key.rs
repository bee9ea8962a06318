//! One key for a gateway's life: never deleted, never replaced, and used for no more signatures than necessary.

use std::fs;

use super::{handshakes, signatures, soft_hsm, tpm, wait_for_session};
use crate::support::{Gateway, World, options};

type End = fn(&mut Gateway);

#[test]
fn promise_1_no_restart_replaces_the_key_or_the_request() {
    for empty in [soft_hsm, tpm] {
        let mut world = World::with(empty(), options());
        world.gateway.start();
        let csr = world.gateway.wait_for_csr();
        assert_eq!(signatures(&world.gateway), 1, "the request's own");
        let objects = world.token.objects().unwrap();
        let request = fs::read(&csr).unwrap();
        let written = fs::metadata(&csr).unwrap().modified().unwrap();

        let ends: [(&str, End); 2] = [("SIGTERM", Gateway::stop), ("SIGKILL", Gateway::kill)];
        for (name, end) in ends {
            end(&mut world.gateway);
            world.gateway.start();
            world.gateway.wait_for_csr();
            assert_eq!(signatures(&world.gateway), 0, "after {name}");
            assert_eq!(world.token.objects().unwrap(), objects, "after {name}");
            assert_eq!(fs::read(&csr).unwrap(), request, "after {name}");
            assert_eq!(fs::metadata(&csr).unwrap().modified().unwrap(), written, "after {name}");
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
            "another wish makes no other key"
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
        let before = (signatures(&world.gateway), handshakes(&world));
        for _ in 0..20 {
            assert_eq!(world.gateway.credentials().status, 200);
        }
        assert_eq!(
            (signatures(&world.gateway), handshakes(&world)),
            before,
            "answers come from memory"
        );
        let seen = world.cloud.events().len();
        assert_eq!(world.cloud.disconnect(crate::support::THING), 1);
        wait_for_session(&world, seen, &id);
        world.gateway.wait_for_text("session.phase", "connected");
        assert_eq!(
            (signatures(&world.gateway), handshakes(&world)),
            (before.0 + 1, before.1 + 1)
        );
    }
    world.gateway.stop();
}
