//! A token that is not available yet, and one that loses its state while it is in use.

use std::fs;

use cloudlet::Event;
use rig::command;
use rig::token::{SoftHsm, Tpm};
use serde_json::Value;

use super::{public_key_of, shared, signatures, wait_for_session};
use crate::command::{client, contains_all, run};
use crate::support::{PIN, THING, World, options};

#[test]
fn promise_9_a_token_that_appears_later_is_found() {
    let (token, boxed) = shared(SoftHsm::new("gateway", PIN).unwrap());
    token.remove_tokens().unwrap();
    let mut world = World::with(boxed, options());
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
    let (tpm, boxed) = shared(Tpm::new(PIN).unwrap());
    let mut world = World::with(boxed, options());
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

    // This is the first handshake after the reset: no other connection was begun, and none was abandoned.
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

/// Objects are deleted, or the token is initialised again, while the session is open and nothing needs a signature for a long time.
#[test]
fn promise_16_a_deleted_key_is_reported_before_a_signature_needs_it() {
    let (token, boxed) = shared(SoftHsm::new("gateway", PIN).unwrap());
    let mut world = World::with(boxed, options());
    world.bring_online();
    let before = signatures(&world.gateway);
    let retry = || run(&mut client(&world.gateway, &["retry", "token", "--wait"]));
    let (code, said, noted) = retry();
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(
        &said,
        &["gatepost checks now that its key is still there", "token: ready"],
    );

    // Only the objects: the token itself, its label and its PIN are unchanged.
    for token in fs::read_dir(token.tokens()).unwrap() {
        for file in fs::read_dir(token.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let is_object = path.extension().is_some_and(|end| end == "object");
            if is_object && path.file_name().is_some_and(|name| name != "token.object") {
                fs::remove_file(path).unwrap();
            }
        }
    }
    let (code, said, noted) = retry();
    assert_eq!(code, 78, "{said}{noted}");
    contains_all(&said, &["token: waiting: no private key matches", "; next: "]);
    let status = world.gateway.status();
    assert_eq!(status["session"]["phase"], "connected", "{status:#}");
    assert_eq!(
        (&status["state"], &status["problems"][0]["id"]),
        (&"attention".into(), &"token-waiting".into()),
        "{status:#}"
    );
    assert_eq!(
        world.gateway.credentials().status,
        200,
        "the credentials at hand are good"
    );
    assert_eq!(signatures(&world.gateway), before, "no look costs a signature");

    token.remove_tokens().unwrap();
    token.add_token("gateway").unwrap();
    let (code, said, noted) = retry();
    assert_eq!(code, 78, "{said}{noted}");
    contains_all(&said, &["no private key matches"]);
    world.gateway.stop();
}

/// Returns the process through which the module reaches its TPM: the newest one, because a killed one stays as a zombie.
fn helper_of(pid: u32) -> Option<u32> {
    let mut find = command::command("pgrep");
    let output = command::output(find.args(["--newest", "--parent", &pid.to_string()]), "procps").unwrap();
    let child = String::from_utf8_lossy(&output.stdout).lines().next()?.parse().ok()?;
    // A shell is in between.
    helper_of(child).or(Some(child))
}

#[test]
fn promise_8_a_connection_to_the_tpm_that_breaks_is_reopened() {
    let mut world = World::with(Box::new(Tpm::new(PIN).unwrap()), options());
    // With this TCTI tpm2-tss starts a program for the connection. If that program ends, each later call to the module returns BAD_SEQUENCE.
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
