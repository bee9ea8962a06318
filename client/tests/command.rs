//! Tests of the command from outside: its output and its exit code.
#![allow(clippy::unwrap_used, reason = "a test that cannot run its command has failed")]

mod messages;
mod operator;
mod programs;
mod support;
mod unusable_daemon;

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use support::{Daemon, command, http, run};

const CREDENTIALS: &str = r#"{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"a secret",
"SessionToken":"a token","Token":"a token","Expiration":"2026-11-22T22:42:00Z"}"#;

const REQUEST: &str = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Asserts a failure that suits a credential_process: this code, nothing on stdout, and a short reason on stderr.
fn assert_refused(output: &Output, code: i32, reason: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(stdout(output), "");
    let said = stderr(output);
    assert!(said.contains(reason), "{reason:?} is not in {said:?}");
    assert!(
        said.lines().count() <= 2 && said.lines().all(|line| line.starts_with("gatepost: ")),
        "{said}"
    );
    assert!(!said.contains("a secret") && !said.contains("a token"), "{said}");
}

/// Asserts a failure with this code, and a document about it on stdout for programs.
fn assert_document(output: &Output, code: i32, reason: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let document = stdout(output);
    let names_code = document.contains(&format!("\"exit_code\":{code},\"problems\":[{{\"id\":\"daemon-"));
    assert!(
        names_code && document.contains(reason),
        "{reason:?} is not in {document:?}"
    );
    assert!(
        document.ends_with("}\n") && document.lines().count() == 1,
        "{document:?}"
    );
    assert!(stderr(output).starts_with("gatepost: "), "{output:?}");
}

#[test]
fn credentials_are_one_line_of_json() {
    let daemon = Daemon::answering(http("200 OK", CREDENTIALS)).unwrap();
    for (arguments, target) in [
        (&["credentials"][..], "GET /v1/credentials HTTP/1.1"),
        (&["credentials", "telemetry"], "GET /v1/credentials/telemetry HTTP/1.1"),
        (&["credentials", "a/b c"], "GET /v1/credentials/a%2Fb%20c HTTP/1.1"),
    ] {
        let output = daemon.run(arguments).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(stdout(&output), format!("{}\n", CREDENTIALS.replace('\n', " ")));
        assert_eq!(daemon.targets().last().unwrap(), target);
    }
}

#[test]
fn a_chunked_answer_is_as_good() {
    let (first, second) = CREDENTIALS.split_at(40);
    let daemon = Daemon::answering(format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len(),
    ));
    let output = daemon.unwrap().run(&["credentials"]).unwrap();
    assert_eq!(stdout(&output), format!("{}\n", CREDENTIALS.replace('\n', " ")));
}

#[test]
fn refusals_keep_their_reason_and_get_an_exit_code() {
    let body = r#"{"code":"some-code","message":"the\nreason","hint":"the hint"}"#;
    for (status, code) in [
        ("400 Bad Request", 64),
        ("403 Forbidden", 77),
        ("404 Not Found", 66),
        ("410 Gone", 65),
        ("413 Content Too Large", 65),
        ("429 Too Many Requests", 75),
        ("500 Internal Server Error", 75),
        ("502 Bad Gateway", 65),
        ("507 Insufficient Storage", 73),
        ("503 Service Unavailable", 69),
        ("302 Found", 76),
        ("418 ", 76),
    ] {
        let daemon = Daemon::answering(http(status, body)).unwrap();
        for arguments in [&["credentials"][..], &["status"], &["csr"]] {
            let output = daemon.run(arguments).unwrap();
            assert_refused(&output, code, "the reason");
            assert!(stderr(&output).contains("the hint"));
        }
        assert_document(&daemon.run(&["status", "--json"]).unwrap(), code, "the\\u000areason");
    }
    for (body, reason) in [
        ("", "answered 503"),
        ("garbage", "answered 503"),
        (r#"{"hint":null}"#, "answered 503"),
    ] {
        let daemon = Daemon::answering(http("503 Service Unavailable", body)).unwrap();
        assert_refused(&daemon.run(&["credentials"]).unwrap(), 69, reason);
    }
    let later = "HTTP/1.1 503 x\r\nRetry-After: 30\r\nContent-Length: 29\r\n\r\n{\"message\":\"no certificate\"} ";
    assert_refused(
        &Daemon::answering(later).unwrap().run(&["credentials"]).unwrap(),
        69,
        "try again in 30 s",
    );
}

#[test]
fn the_socket_comes_from_the_option_before_the_environment() {
    let daemon = Daemon::answering(http("200 OK", CREDENTIALS)).unwrap();
    let socket = daemon.socket();
    let socket = socket.to_str().unwrap();
    let elsewhere = Path::new("/nonexistent");
    for arguments in [["--socket", socket, "credentials"], ["credentials", "--socket", socket]] {
        assert!(run(elsewhere, &arguments).unwrap().status.success());
    }
}

#[test]
fn the_state_is_the_exit_code() {
    for (state, code) in [("ready", 0), ("waiting", 69), ("attention", 78), ("unheard-of", 69)] {
        let document = format!("{{\n \"state\":\"{state}\" , \"new\":[]}}");
        let daemon = Daemon::answering(http("200 OK", &document)).unwrap();
        let plain = daemon.run(&["status"]).unwrap();
        assert_eq!(plain.status.code(), Some(code));
        assert!(
            stdout(&plain).starts_with("gatepost") && !stdout(&plain).contains('\u{1b}'),
            "{plain:?}"
        );
        let json = daemon.run(&["status", "--json"]).unwrap();
        assert_eq!(
            (json.status.code(), stdout(&json)),
            (Some(code), format!("{document}\n").as_str())
        );
        assert_eq!(daemon.targets(), ["GET /v1/status HTTP/1.1"; 2]);
    }
}

#[test]
fn the_exit_code_is_the_one_that_the_daemon_names() {
    for (named, code) in [(0, 0), (68, 68), (69, 69), (77, 77), (78, 78), (99, 69)] {
        let document = format!("{{\"state\":\"attention\",\"exit_code\":{named}}}");
        let daemon = Daemon::answering(http("200 OK", &document)).unwrap();
        assert_eq!(daemon.run(&["status"]).unwrap().status.code(), Some(code));
    }
}

#[test]
fn a_daemon_that_has_ended_is_not_started_by_a_look_at_it() {
    let document = r#"{"ended":"2026-11-30T10:00:00Z","state":"attention","summary":"gatepostd is not running: it was stopped","exit_code":68}"#;
    let daemon = Daemon::answering(http("200 OK", "{\"state\":\"ready\"}")).unwrap();
    let left_behind = daemon.socket().with_file_name("end.json");
    std::fs::write(&left_behind, document).unwrap();
    let plain = daemon.run(&["status"]).unwrap();
    assert_eq!(plain.status.code(), Some(68));
    assert_eq!(
        stdout(&plain),
        "gatepost needs attention.\ngatepostd is not running: it was stopped\n"
    );
    let json = daemon.run(&["status", "--json"]).unwrap();
    assert_eq!(
        (json.status.code(), stdout(&json)),
        (Some(68), format!("{document}\n").as_str())
    );
    let field = daemon.run(&["status", "--field", "exit_code"]).unwrap();
    assert_eq!((field.status.code(), stdout(&field)), (Some(0), "68\n"));
    assert!(daemon.targets().is_empty(), "the socket was left alone");
    std::fs::remove_file(left_behind).unwrap();
    assert_eq!(daemon.run(&["status"]).unwrap().status.code(), Some(0));
}

#[test]
fn the_signing_request_is_printed_as_it_is() {
    let daemon = Daemon::answering(http("200 OK", REQUEST)).unwrap();
    let output = daemon.run(&["csr"]).unwrap();
    assert!(output.status.success());
    assert_eq!(stdout(&output), REQUEST);
    assert_eq!(daemon.targets(), ["GET /v1/csr HTTP/1.1"]);
}

#[test]
fn a_request_that_is_being_made_is_waited_for() {
    let coming = r#"{"code":"coming","message":"the signing request is being made","hint":null}"#;
    let coming = http("503 Service Unavailable\r\nRetry-After: 0", coming);
    let asked = AtomicU32::new(0);
    let daemon = Daemon::start(move |stream| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => stream.write_all(coming.as_bytes()),
        _ => stream.write_all(http("200 OK", REQUEST).as_bytes()),
    })
    .unwrap();
    let output = daemon.run(&["csr"]).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stdout(&output), REQUEST);
    assert_eq!(
        stderr(&output),
        "gatepost: the signing request is being made; waiting for it\n"
    );
    assert_eq!(daemon.targets().len(), 3);

    // Longer than the command's time limit.
    let later = r#"{"code":"coming","message":"the signing request is being made","hint":null}"#;
    let later = http("503 Service Unavailable\r\nRetry-After: 3600", later);
    let output = Daemon::answering(later).unwrap().run(&["csr"]).unwrap();
    assert_refused(&output, 69, "the signing request is being made");
}

#[test]
fn help_and_version_need_no_daemon() {
    let nowhere = Path::new("/nonexistent");
    for (arguments, begins) in [
        (&["--help"][..], "gatepost: "),
        (&["help", "status"], "gatepost status"),
        (&["credentials", "--help"], "gatepost credentials"),
        (&["--version"], concat!("gatepost ", env!("GATEPOST_VERSION"), "\n")),
    ] {
        let output = run(nowhere, arguments).unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(stdout(&output).starts_with(begins), "{output:?}");
    }
    for arguments in [&[][..], &["--frobnicate"], &["\u{1b}[2J"]] {
        assert_refused(&run(nowhere, arguments).unwrap(), 64, "see gatepost --help");
    }
    let misplaced = run(nowhere, &["credentials", "--json"]).unwrap();
    assert_refused(&misplaced, 64, "see gatepost credentials --help");
}

#[test]
fn a_stdout_that_takes_nothing_is_no_panic() {
    let daemon = Daemon::answering(http("200 OK", CREDENTIALS)).unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(&daemon.socket(), &["credentials"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(
        stderr(&output).starts_with("gatepost: cannot write to stdout"),
        "{output:?}"
    );

    // The reader of the pipe has gone before the command starts.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&daemon.socket(), &["credentials"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(74), ""));

    // The exit code is the same if stderr is closed as well.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = command(Path::new("/nonexistent"), &["status"])
        .stderr(writer)
        .stdout(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(68));
}
