//! Promise 3, independent threads: the socket answers while the token and the cloud threads hang.

use std::sync::Arc;

use cloudlet::switches::Answer;
use rig::token::{KeyKind, Token, Tpm};

use crate::credentials::NEVER;
use crate::support::{PIN, THING, World, options};

#[test]
fn promise_3_a_stuck_token_and_a_hanging_aws_delay_no_answer() {
    let tpm = Arc::new(Tpm::new(PIN).unwrap());
    tpm.generate(KeyKind::EcP256, "device", "01").unwrap();
    let mut world = World::with(Box::new(tpm.clone()), options());
    world.bring_online();

    // First the cloud: it accepts connections and then sends nothing.
    let hang = |on: bool| {
        world.cloud.switches().set(|switches| {
            switches.hang_after_tls = on;
            switches.credentials.answer = if on { NEVER } else { Answer::Normal };
        });
    };
    hang(true);
    world.cloud.disconnect(THING);
    world.gateway.wait_for("session.phase", |phase| phase != "connected");
    ask(&world, "a hanging cloud");
    // Then the token as well: the next handshake's signature never comes.
    tpm.freeze().unwrap();
    ask(&world, "a stuck token");
    hang(false);
    ask(&world, "a handshake that waits for its signature");
    assert_ne!(world.gateway.status()["session"]["phase"], "connected");
    tpm.thaw().unwrap();
    world.gateway.wait_online();
    world.gateway.stop();
}

fn ask(world: &World, meanwhile: &str) {
    for _ in 0..100 {
        let answer = world.gateway.credentials();
        assert_eq!(
            answer.status,
            200,
            "{meanwhile}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
}
