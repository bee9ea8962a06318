//! A token that is not there yet, and one that loses its state while it is used.

use cloudlet::Event;
use rig::command;
use rig::token::{SoftHsm, Tpm};
use serde_json::Value;

use super::{public_key_of, shared, signatures, wait_for_session};
use crate::world::{PIN, THING, World, options};

#[test]
fn promise_9_a_token_that_appears_later_is_found() {
    let (token, face) = shared(SoftHsm::new("gateway", PIN).unwrap());
    token.remove_tokens().unwrap();
    let mut world = World::with(face, options());
    world.gateway.start();
    world
        .gateway
        .wait_for_words("token.problem.message", "no initialised token is visible in");
    let status = world.gateway.status();
    assert_eq!(status["token"]["phase"], "waiting");
    assert_eq!(status["state"], "waiting", "nothing to mend: {status:#}");
    let refusal = world.gateway.credentials();
    assert_eq!(refusal.status, 503);
    let refusal = refusal.json().unwrap();
    assert!(
        refusal.to_string().contains("no initialised token"),
        "a program learns the real cause: {refusal}"
    );

    token.add_token("another").unwrap();
    world
        .gateway
        .wait_for_words("token.problem.message", "(\"another\") matches pkcs11:token=gateway");
    token.add_token("gateway").unwrap();
    world.certify();
    world.gateway.wait_online();
    assert_eq!(world.gateway.status()["token"]["problem"], Value::Null);
    world.gateway.stop();
}

#[test]
fn promise_8_a_reset_of_the_token_heals_in_the_next_handshake() {
    let (tpm, face) = shared(Tpm::new(PIN).unwrap());
    let mut world = World::with(face, options());
    world.bring_online();
    let id = world.certificate_id();
    let key = public_key_of(&world.gateway.state("device.csr"));
    let objects = world.token.objects().unwrap();
    let before = signatures(&world.gateway);

    tpm.reset().unwrap();
    assert_eq!(world.gateway.credentials().status, 200, "local answers need no token");
    let seen = world.cloud.events().len();
    assert_eq!(world.cloud.disconnect(THING), 1);
    wait_for_session(&world, seen, &id);
    world.gateway.wait_online();

    // The very first handshake after the reset: no other connection was begun, and none was given up.
    let handshakes: Vec<_> = world
        .cloud
        .events()
        .into_iter()
        .skip(seen)
        .filter(|event| matches!(event, Event::TlsAccepted { .. } | Event::TlsRefused { .. }))
        .collect();
    assert!(
        matches!(handshakes.as_slice(), [Event::TlsAccepted { certificate, .. }] if *certificate == id),
        "{handshakes:?}"
    );
    let status = world.gateway.status();
    assert_eq!(status["token"]["phase"], "ready", "{status:#}");
    assert_eq!(status["token"]["problem"], Value::Null, "{status:#}");
    assert_eq!(signatures(&world.gateway), before + 1);
    assert_eq!(world.token.objects().unwrap(), objects);
    assert_eq!(public_key_of(&world.gateway.state("device.csr")), key);
    assert_eq!(
        world
            .gateway
            .log()
            .matches("signing failed: the module answered")
            .count(),
        1,
        "the reset was met, and said once:\n{}",
        world.gateway.log()
    );
    world.gateway.stop();
}

/// The process through which the module reaches its TPM: the newest, because one that was killed stays as a zombie.
fn helper_of(pid: u32) -> Option<u32> {
    let mut find = command::command("pgrep");
    let output = command::output(find.args(["--newest", "--parent", &pid.to_string()]), "procps").unwrap();
    let child = String::from_utf8_lossy(&output.stdout).lines().next()?.parse().ok()?;
    // A shell stands in between.
    helper_of(child).or(Some(child))
}

#[test]
fn promise_8_a_way_to_the_tpm_that_breaks_in_the_middle_is_opened_anew() {
    let mut world = World::with(Box::new(Tpm::new(PIN).unwrap()), options());
    // tpm2-tss then starts a program for the way, and each later call to a module without it is answered BAD_SEQUENCE.
    let tcti = world
        .gateway
        .env
        .iter_mut()
        .find(|(name, _)| name == "TPM2_PKCS11_TCTI");
    let tcti = &mut tcti.unwrap().1;
    *tcti = format!("cmd:tpm2_send -T {tcti}");
    world.bring_online();
    let id = world.certificate_id();

    let pid = world.gateway.process().pid();
    let helper = helper_of(pid).expect("a process between the daemon and its TPM");
    command::run(command::command("kill").args(["-KILL", &helper.to_string()]), "procps").unwrap();
    let seen = world.cloud.events().len();
    assert_eq!(world.cloud.disconnect(THING), 1);
    wait_for_session(&world, seen, &id);
    world.gateway.wait_online();
    assert_ne!(helper_of(pid), Some(helper));
    let status = world.gateway.status();
    assert_eq!(status["token"]["phase"], "ready", "{status:#}");
    world.gateway.stop();
}
