//! `gatepost retry`: an operator who has removed a cause need not wait for the next attempt, and nobody can overload AWS or the token with
//! attempts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Instant;

use cloudlet::CertificateStatus;
use cloudlet::switches::Answer;
use rig::token::{SoftHsm, Tpm};
use rig::{unix_http, user};

use crate::command::{client, contains_all, run};
use crate::registry::bring_online_registered;
use crate::support::{Gateway, PIN, THING, World, options};

#[test]
fn retry_tries_now_and_reports_the_outcomes() {
    let mut world = World::new();
    world.cloud.switches().set(|switches| {
        switches.credentials.answer = Answer::Status(403, r#"{"message":"Access Denied"}"#.into());
    });
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("state", "attention");
    let retry = |words: &[&str]| run(&mut client(&world.gateway, &[&["retry"], words].concat()));

    // Still refused, and reported with the reason.
    let (code, said, noted) = retry(&["--wait"]);
    assert_eq!(code, 78, "{said}{noted}");
    contains_all(
        &said,
        &[
            "session: it is connected",
            "token: it is open; gatepost checks now that its key is still there",
            "role alias telemetry: they are requested now",
            "Access Denied",
        ],
    );
    // The cause was removed; the next attempt would be minutes away.
    world
        .cloud
        .switches()
        .set(|switches| switches.credentials.answer = Answer::Normal);
    let (code, said, noted) = retry(&["credentials", "telemetry", "--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(&said, &["role alias telemetry: valid"]);
    world.gateway.wait_online();
    let (code, said, _) = retry(&["credentials"]);
    assert_eq!(code, 0);
    contains_all(&said, &["they are valid; name the role alias"]);
    let (code, said, _) = retry(&["credentials", "telemetry", "--wait"]);
    assert_eq!(code, 0, "{said}");
    let log = world.gateway.log();
    assert!(
        log.contains("retry: credentials/telemetry is tried again now, because uid"),
        "{log}"
    );

    for (words, code, says) in [
        (&["credentials", "video"][..], 66, "no role alias named"),
        (&["everything"], 64, "unknown verb"),
        (&["session", "extra"], 64, "unexpected"),
        (&["--timeout", "5"], 64, "--timeout needs --wait"),
    ] {
        let (found, said, noted) = retry(words);
        assert_eq!((found, said.as_str()), (code, ""), "{words:?}");
        contains_all(&noted, &[says]);
    }
    if user::is_root() {
        fs::set_permissions(world.gateway.folder.path(), Permissions::from_mode(0o755)).unwrap();
        let request = b"POST /v1/retry/all HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let stranger = || unix_http::request_raw(&world.gateway.socket(), request).unwrap();
        let refused = user::act_as(61009, 61009, stranger).unwrap();
        assert_eq!(refused.status, 403);
        contains_all(&String::from_utf8_lossy(&refused.body), &["root"]);
    }
}

/// Refreshes the credentials of a role alias now, which must succeed. Two refreshes are at least ten seconds apart.
pub fn refresh(gateway: &Gateway, alias: &str) {
    let (code, said, noted) = run(&mut client(gateway, &["retry", "credentials", alias, "--wait"]));
    assert_eq!(code, 0, "{said}{noted}\n{}", gateway.log());
}

/// A deactivated certificate: AWS drops each connection, and the wait grows to minutes.
#[test]
fn a_session_that_waits_connects_now_but_never_twice_in_ten_seconds() {
    let mut world = World::new();
    let id = bring_online_registered(&mut world);
    let activate = |status| world.cloud.set_certificate_status(&id, status).unwrap();
    activate(CertificateStatus::Inactive);
    world.gateway.wait_for_text("session.phase", "waiting");
    let (code, said, noted) = run(&mut client(&world.gateway, &["retry", "session", "--wait"]));
    assert_eq!(code, 69, "{said}{noted}");
    contains_all(&said, &["session: it connects now", "session: waiting: "]);
    // However often an attempt is requested, there is one in ten seconds.
    let attempts = || world.gateway.status()["session"]["attempts"].as_u64().unwrap();
    let (before, begun) = (attempts(), Instant::now());
    for _ in 0..20 {
        run(&mut client(&world.gateway, &["retry", "session"]));
    }
    let (after, took) = (attempts(), begun.elapsed());
    assert!(
        after <= before + 1 + took.as_secs() / 10,
        "{before}, then {after} within {took:?}"
    );
    activate(CertificateStatus::Active);
    let (_, said, noted) = run(&mut client(&world.gateway, &["retry", "session", "--wait"]));
    world.gateway.wait_for_text("session.phase", "connected");
    let (code, said_later, _) = run(&mut client(&world.gateway, &["retry", "session", "--wait"]));
    assert_eq!(code, 0, "{said}{noted}{said_later}");
    contains_all(&said_later, &["session: it is connected"]);
}

#[test]
fn retry_looks_for_a_missing_token_at_once() {
    let token = Arc::new(SoftHsm::new("gateway", PIN).unwrap());
    token.remove_tokens().unwrap();
    let mut world = World::with(Box::new(token.clone()), options());
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "waiting");
    let (code, said, noted) = run(&mut client(&world.gateway, &["retry", "--wait"]));
    assert_ne!(code, 0, "{said}{noted}");
    contains_all(
        &said,
        &[
            "token: gatepost looks for it now",
            "no initialised token",
            "session: it cannot connect yet",
        ],
    );
    token.add_token("gateway").unwrap();
    let (code, said, noted) = run(&mut client(&world.gateway, &["retry", "token", "--wait"]));
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(&said, &["token: ready"]);
}

/// Promise 8: a rejected PIN is never tried again, whoever requests it.
#[test]
fn promise_8_no_retry_costs_a_try_of_the_pin() {
    let tpm = Arc::new(Tpm::new(PIN).unwrap());
    let mut world = World::with(Box::new(tpm.clone()), options());
    let pin_file = world.gateway.folder.path().join("pin");
    let given = world.token.pin_file().display().to_string();
    world.gateway.configure(&given, &pin_file.display().to_string());
    fs::write(&pin_file, PIN).unwrap();
    fs::set_permissions(&pin_file, Permissions::from_mode(0o600)).unwrap();
    world.bring_online();
    tpm.count_wrong_pins().unwrap();
    fs::write(&pin_file, "not the PIN").unwrap();
    tpm.reset().unwrap();
    world.cloud.disconnect(THING);
    world.gateway.wait_for_text("token.phase", "failed");
    let counted = tpm.wrong_pins().unwrap();
    for words in [&["retry"][..], &["retry", "token"], &["retry", "token", "--wait"]] {
        for _ in 0..3 {
            let (code, said, noted) = run(&mut client(&world.gateway, words));
            assert_eq!(code, 77, "as gatepost status: {said}{noted}");
            contains_all(&said, &["it is not tried again before gatepost is restarted", "PIN"]);
        }
    }
    assert_eq!(tpm.wrong_pins().unwrap(), counted);
    assert_eq!(world.gateway.status()["token"]["phase"], "failed");
}
