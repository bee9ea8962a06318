//! A new key for each certificate (`enrolment.renew-key = "new"`): two labels take turns, and no key is deleted.

mod by_method;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use est_server::AnswerFault;
use rig::token::{Class, Object, Quirks, SoftHsm, Token, Tpm};
use rig::unix_http;

use super::{Enrolling, enrol_at, renew, renew_at, start_est_server};
use crate::command::{client, run};
use crate::support::{self, Gateway, PIN, World};

const LONG: Duration = Duration::from_secs(24 * 3600);

/// A gateway that asks for a new key with each certificate.
fn enrolling_in(token: Box<dyn Token>) -> Enrolling {
    let options = est_server::Options {
        lifetime: LONG,
        ..est_server::Options::default()
    };
    let server = start_est_server(true, options);
    let mut world = World::with(token, support::options());
    enrol_at(&mut world, &server);
    world
        .gateway
        .configure("method = \"est\"\n", "method = \"est\"\nrenew-key = \"new\"\n");
    Enrolling { world, server }
}

fn soft_hsm() -> Box<dyn Token> {
    Box::new(SoftHsm::new("gateway", PIN).unwrap())
}

/// The private keys with this label.
fn keys(token: &dyn Token, label: &str) -> Vec<Object> {
    let mut keys = token.objects().unwrap();
    keys.retain(|object| object.class == Class::PrivateKey && object.label == label);
    keys
}

fn count(token: &dyn Token) -> (usize, usize) {
    (keys(token, "device").len(), keys(token, "device-2").len())
}

/// Waits until the session uses a certificate with the key of this label.
fn wait_for_key(gateway: &Gateway, label: &str) {
    let is_named = |key: &serde_json::Value| {
        key.as_str()
            .is_some_and(|uri| uri.ends_with(&format!("object={label}")))
    };
    gateway.wait_for("identity.key", is_named);
    let id = gateway.status()["identity"]["certificate_id"].clone();
    gateway.wait_longer_for(2 * support::SOON, "session.certificate_id", |accepted| *accepted == id);
}

fn rotates(token: Box<dyn Token>) {
    let mut enrolling = enrolling_in(token);
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    wait_for_key(&enrolling.world.gateway, "device");

    // Local programs notice nothing.
    let (socket, is_over) = (enrolling.world.gateway.socket(), AtomicBool::new(false));
    thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut answers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                answers.push(unix_http::get(&socket, "/v1/credentials").unwrap().status);
            }
            answers
        });
        let (code, said, noted) = renew(&enrolling, &["--wait"]);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(code, 0, "{said}{noted}");
        let answers = asked.join().unwrap();
        assert!(
            answers.len() > 1 && answers.iter().all(|status| *status == 200),
            "{answers:?}"
        );
    });
    wait_for_key(&enrolling.world.gateway, "device-2");
    let token = &enrolling.world.token;
    assert_eq!(count(&**token), (1, 1));
    let [made] = keys(&**token, "device-2").try_into().unwrap();
    assert!(
        made.is_sensitive() && made.is_never_extractable() && made.is_local(),
        "{made:?}"
    );
    let (_, said, _) = run(&mut client(&enrolling.world.gateway, &["certificate"]));
    assert!(said.contains("object=device-2"), "{said}");

    // The next boot uses the key of the certificate.
    enrolling.world.gateway.stop();
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    wait_for_key(&enrolling.world.gateway, "device-2");

    // The older key is in the way of the next one: the certificate is renewed nonetheless.
    let before = enrolling.world.gateway.status()["session"]["certificate_id"].clone();
    let (code, said, noted) = renew(&enrolling, &["--wait"]);
    // The verdict may still be that of the trial of the new certificate.
    assert!([0, 78].contains(&code) && said.contains("was issued"), "{said}{noted}");
    wait_for_key(&enrolling.world.gateway, "device-2");
    let gateway = &enrolling.world.gateway;
    assert_ne!(gateway.status()["session"]["certificate_id"], before);
    let problem = gateway.wait_for("identity.problem", |problem| {
        problem.to_string().contains("an older key")
    });
    assert!(problem.to_string().contains("pkcs11-tool --module"), "{problem}");
    assert_eq!(count(&*enrolling.world.token), (1, 1));

    // Once it is deleted, its label is free. A TPM's module notices that only at a restart.
    let [old] = keys(&*enrolling.world.token, "device").try_into().unwrap();
    for class in [Class::PrivateKey, Class::PublicKey] {
        enrolling.world.token.delete(class, &old.id).unwrap();
    }
    enrolling.world.gateway.stop();
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    let (code, said, noted) = renew(&enrolling, &["--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    let gateway = &enrolling.world.gateway;
    wait_for_key(gateway, "device");
    gateway.wait_for("identity.problem", serde_json::Value::is_null);
    assert_eq!(count(&*enrolling.world.token), (1, 1));
    assert_ne!(keys(&*enrolling.world.token, "device")[0].id, old.id);
    let log = gateway.log();
    assert!(!log.contains(PIN), "{log}");
    enrolling.world.gateway.stop();
}

#[test]
fn promise_11_each_certificate_gets_a_new_key_in_softhsm() {
    rotates(soft_hsm());
}

#[test]
fn promise_11_each_certificate_gets_a_new_key_in_a_tpm() {
    rotates(Box::new(Tpm::new(PIN).unwrap()));
}

#[test]
fn promise_11_kill_9_between_key_certificate_and_proof_makes_no_third_key() {
    let mut enrolling = enrolling_in(soft_hsm());
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    // The key is made, and there is no certificate for it.
    let refusing = AnswerFault::Status(403).forever();
    enrolling
        .server
        .switch(|switches| switches.enrolment_faults = [refusing].into());
    let (code, ..) = renew(&enrolling, &["--wait"]);
    assert_eq!(code, 78);
    enrolling.world.gateway.kill();
    let [made] = keys(&*enrolling.world.token, "device-2").try_into().unwrap();
    enrolling.server.switch(|switches| switches.enrolment_faults.clear());
    // AWS does not know the new certificate for now.
    set_ca_active(&enrolling.world, false);
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    let (code, said, noted) = renew(&enrolling, &[]);
    assert_eq!(code, 0, "{said}{noted}");
    let is_second = |key: &serde_json::Value| key.as_str().is_some_and(|uri| uri.ends_with("object=device-2"));
    enrolling.world.gateway.wait_for("identity.key", is_second);
    assert_eq!(keys(&*enrolling.world.token, "device-2"), std::slice::from_ref(&made));

    // The certificate is there, and AWS has not accepted it: the old one is in use, with its own key.
    enrolling.world.gateway.kill();
    enrolling.world.gateway.start();
    let gateway = &enrolling.world.gateway;
    gateway.wait_longer_online();
    let status = gateway.status();
    assert_ne!(
        status["session"]["certificate_id"], status["identity"]["certificate_id"],
        "{status}"
    );
    set_ca_active(&enrolling.world, true);
    let gateway = &enrolling.world.gateway;
    wait_for_key(gateway, "device-2");
    assert_eq!(keys(&*enrolling.world.token, "device-2"), [made]);
    assert_eq!(count(&*enrolling.world.token), (1, 1));
    enrolling.world.gateway.stop();
}

/// Makes the CA of the EST server known to AWS, or unknown, for certificates that AWS has not seen.
fn set_ca_active(world: &World, is_active: bool) {
    let changed = world.cloud.account().change(|account| {
        let ids: Vec<_> = account.cas.iter().map(|ca| ca.id.clone()).collect();
        ids.iter().try_for_each(|id| account.cas.set_active(id, is_active))
    });
    changed.unwrap();
}

#[test]
fn promise_11_a_token_that_allows_no_new_key_costs_no_certificate() {
    let token = Arc::new(Quirks::new(SoftHsm::new("gateway", PIN).unwrap()).unwrap());
    token.set(&[]).unwrap();
    let mut enrolling = enrolling_in(Box::new(token.clone()));
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    token.set(&["write-protected"]).unwrap();
    let (code, said, noted) = renew_at(&enrolling.world.gateway, &["--wait"]);
    // The verdict may still be that of the trial of the new certificate.
    assert!([0, 78].contains(&code) && said.contains("was issued"), "{said}{noted}");
    let gateway = &enrolling.world.gateway;
    wait_for_key(gateway, "device");
    let problem = gateway.wait_for("identity.problem", |problem| {
        problem.to_string().contains("keeps its key")
    });
    assert!(problem.to_string().contains("write-protected"), "{problem}");
    assert_eq!(count(token.inner()), (1, 0));

    // Where it allows one later, the next renewal has it.
    token.set(&[]).unwrap();
    let (code, said, noted) = renew_at(&enrolling.world.gateway, &["--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    wait_for_key(&enrolling.world.gateway, "device-2");
    enrolling.world.gateway.stop();
}
