//! The commands of operators against a scripted daemon.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Daemon, http, run};
use crate::{assert_refused, stderr, stdout};

/// Returns a daemon that gives these answers in turn, and the last one for ever.
fn answering_in_turn(answers: Vec<String>) -> Daemon {
    let next = AtomicUsize::new(0);
    Daemon::start(move |stream| {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let answer = answers.get(place).or(answers.last());
        stream.write_all(answer.map(String::as_bytes).unwrap_or_default())
    })
    .unwrap()
}

fn session(phase: &str, attempts: u32, problem: &str) -> String {
    let document = format!(r#"{{"session":{{"phase":"{phase}","attempts":{attempts},"problem":{problem}}}}}"#);
    http("200 OK", &document)
}

const WOKEN: &str = r#"{"parts":[{"part":"session","name":null,"outcome":"woken","message":"it connects now"}]}"#;

#[test]
fn a_retry_reports_the_woken_parts_and_their_results() {
    let problem = r#"{"remedy":"wait","message":"no route","next_step":"check the cable"}"#;
    for (last, code, said) in [
        (
            session("connected", 4, "null"),
            0,
            "session: it connects now\nsession: connected\n",
        ),
        (
            session("waiting", 4, problem),
            69,
            "session: it connects now\nsession: waiting: no route; next: check the cable\n",
        ),
    ] {
        let answers = vec![
            session("waiting", 3, problem),
            http("200 OK", WOKEN),
            session("connecting", 3, "null"),
            last,
        ];
        let daemon = answering_in_turn(answers);
        let output = daemon.run(&["retry", "session", "--wait"]).unwrap();
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(code), said),
            "{output:?}"
        );
        assert_eq!(daemon.targets().get(1).unwrap(), "POST /v1/retry/session HTTP/1.1");
    }
    // If the attempt does not end, the command gives up.
    let answers = vec![
        session("waiting", 3, "null"),
        http("200 OK", WOKEN),
        session("connecting", 3, "null"),
    ];
    let output = answering_in_turn(answers)
        .run(&["retry", "--wait", "--timeout", "1"])
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(
        stderr(&output).contains("after 1 s no attempt has ended: session"),
        "{output:?}"
    );
}

fn alias(succeeded: u32, transient: u32, problem: &str) -> String {
    let document = format!(
        r#"{{"role_aliases":[{{"name":"video","phase":"valid","problem":{problem},
            "refreshes":{{"succeeded":{succeeded},"transient":{transient},"refused":0}}}}]}}"#
    );
    http("200 OK", &document)
}

#[test]
fn a_refresh_that_fails_is_a_failure_although_the_credentials_are_still_valid() {
    let woken =
        r#"{"parts":[{"part":"credentials","name":"video","outcome":"woken","message":"they are asked for now"}]}"#;
    let problem = r#"{"remedy":"wait","message":"AWS answered 503","next_step":null}"#;
    for (last, code, said) in [
        (alias(2, 0, "null"), 0, "role alias video: valid\n"),
        (
            alias(1, 1, problem),
            69,
            "role alias video: not refreshed; the current credentials stay valid: AWS answered 503\n",
        ),
    ] {
        let answers = vec![alias(1, 0, "null"), http("200 OK", woken), alias(1, 0, "null"), last];
        let daemon = answering_in_turn(answers);
        let output = daemon.run(&["retry", "credentials", "video", "--wait"]).unwrap();
        let said = format!("role alias video: they are asked for now\n{said}");
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(code), said.as_str()),
            "{output:?}"
        );
    }
    // No attempt could be made, so nothing has succeeded.
    let nothing = r#"{"parts":[{"part":"credentials","name":"video","outcome":"nothing","message":"as soon as AWS has accepted the certificate"}]}"#;
    let idle = r#"{"role_aliases":[{"name":"video","phase":"waiting","problem":null}]}"#;
    for (arguments, code) in [
        (&["retry", "credentials", "video", "--wait"][..], 69),
        (&["retry", "credentials", "video"], 0),
    ] {
        let daemon = answering_in_turn(vec![http("200 OK", idle), http("200 OK", nothing)]);
        assert_eq!(
            daemon.run(arguments).unwrap().status.code(),
            Some(code),
            "{arguments:?}"
        );
    }
}

#[test]
fn targets_of_retry() {
    for (arguments, target) in [
        (&["retry"][..], "POST /v1/retry/all HTTP/1.1"),
        (&["retry", "all"], "POST /v1/retry/all HTTP/1.1"),
        (&["retry", "token"], "POST /v1/retry/token HTTP/1.1"),
        (&["retry", "credentials"], "POST /v1/retry/credentials HTTP/1.1"),
        (
            &["retry", "credentials", "a/b c"],
            "POST /v1/retry/credentials/a%2Fb%20c HTTP/1.1",
        ),
    ] {
        let daemon = answering_in_turn(vec![http("200 OK", "{}"), http("200 OK", r#"{"parts":[]}"#)]);
        let output = daemon.run(arguments).unwrap();
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(0), "no role alias is configured\n")
        );
        assert_eq!(daemon.targets().last().unwrap(), target);
    }
    let impossible = r#"{"parts":[{"part":"token","name":null,"outcome":"impossible","message":"the PIN\u001b[2J"}]}"#;
    for (status, code) in [
        ("{}", 78),
        (r#"{"exit_code":78,"problems":[{"id":"token-failed"}]}"#, 78),
        (
            r#"{"exit_code":77,"problems":[{"id":"session-down"},{"id":"token-pin"}]}"#,
            77,
        ),
    ] {
        let daemon = answering_in_turn(vec![http("200 OK", status), http("200 OK", impossible)]);
        let output = daemon.run(&["retry", "token", "--wait"]).unwrap();
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(code), "token: the PIN\u{fffd}[2J\n"),
            "as gatepost status: {status}"
        );
    }
}

#[test]
fn the_log_level_is_shown_and_set() {
    let level = r#"{"level":"debug","usual":"info","until":"2026-11-30T12:00:00Z"}"#;
    for (arguments, target) in [
        (&["log-level"][..], "GET /v1/log-level HTTP/1.1"),
        (&["log-level", "debug", "--for", "10min"], "POST /v1/log-level HTTP/1.1"),
    ] {
        let daemon = Daemon::answering(http("200 OK", level)).unwrap();
        let output = daemon.run(arguments).unwrap();
        assert_eq!(
            stdout(&output),
            "log level: debug until 2026-11-30T12:00:00Z, then info\n"
        );
        assert_eq!(daemon.targets(), [target]);
    }
}

#[test]
fn a_certificate_is_shown_or_missed() {
    let identity = r#"{"now":"2026-11-30T12:00:00Z","identity":{"certificate_id":"abc","thing_name":"gw-1","subject":"CN=gw-1",
        "not_before":"2026-11-01T00:00:00Z","not_after":"2026-12-30T12:00:00Z","certificate_path":"/x/device.pem"},
        "session":{"phase":"connected","certificate_id":"abc"}}"#;
    let daemon = Daemon::answering(http("200 OK", identity)).unwrap();
    let output = daemon.run(&["certificate"]).unwrap();
    let shown = "certificate  abc\nthing name   gw-1\nsubject      CN=gw-1\nvalid from   2026-11-01T00:00:00Z\n\
                 valid until  2026-12-30T12:00:00Z (in 30 days)\nfile         /x/device.pem\nAWS          connected with it\n";
    assert_eq!(stdout(&output), shown);
    let with_key = identity.replacen(
        r#""subject""#,
        r#""key":"pkcs11:token=gatepost;object=device-2","subject""#,
        1,
    );
    let output = Daemon::answering(http("200 OK", &with_key))
        .unwrap()
        .run(&["certificate"])
        .unwrap();
    assert!(
        stdout(&output).contains("\nkey          pkcs11:token=gatepost;object=device-2\nvalid from "),
        "{output:?}"
    );
    let output = daemon.run(&["certificate", "show", "--json"]).unwrap();
    assert!(stdout(&output).starts_with(r#"{"certificate_id":"abc","#), "{output:?}");
    let none =
        r#"{"identity":{"certificate_id":null,"problem":{"message":"waiting for it","next_step":"have it signed"}}}"#;
    let output = Daemon::answering(http("200 OK", none))
        .unwrap()
        .run(&["certificate"])
        .unwrap();
    assert_refused(&output, 66, "waiting for it");
}

#[test]
fn what_lacks_something_needs_no_daemon() {
    for (arguments, says) in [
        (&["allow"][..], "name who"),
        (&["allow", "--user", "app"], "name what"),
        (&["allow", "--role-alias", "s3"], "name who"),
        (&["allow", "app"], "unexpected argument"),
        (&["certificate", "install"], "the file is missing"),
        (
            &["certificate", "install", "a", "--timeout", "5"],
            "--timeout needs --wait",
        ),
        (&["certificate", "remove"], "unknown verb"),
        (&["retry", "sesion"], "did you mean session?"),
        (&["log-level", "debug", "--for"], "--for needs a value"),
        (&["log-level", "debug", "--for", "x"], "not a span of time"),
        (&["suport"], "did you mean support?"),
        (
            &["allow", "--user", "a", "--user", "b", "--publish", "x"],
            "--user is given twice",
        ),
        (
            &["sign", "--service=s3", "--service=sts", "--region=r", "https://h/"],
            "--service is given twice",
        ),
        (
            &[
                "sign",
                "--service=s3",
                "--region=r",
                "--expires=1",
                "--expires=2",
                "https://h/",
            ],
            "--expires is given twice",
        ),
    ] {
        let output = run(Path::new("/nonexistent"), arguments).unwrap();
        assert_refused(&output, 64, says);
    }
}
