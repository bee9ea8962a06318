//! The command from outside: what it prints, where, and how it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot run its command has failed")]

mod messages;
mod support;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::{Daemon, Folder, command, http, run};

const CREDENTIALS: &str = r#"{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"a secret",
"SessionToken":"a token","Token":"a token","Expiration":"2026-11-22T22:42:00Z"}"#;

const REQUEST: &str = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Failed as a credential_process must: this code, nothing on stdout, the reason on stderr, in few words.
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
        for arguments in [&["credentials"][..], &["status"], &["status", "--json"], &["csr"]] {
            let output = daemon.run(arguments).unwrap();
            assert_refused(&output, code, "the reason");
            assert!(stderr(&output).contains("the hint"));
        }
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
fn a_daemon_that_was_killed_while_it_answered_is_asked_once_more() {
    let answers = [String::new(), http("200 OK", CREDENTIALS)];
    let answers = std::sync::Mutex::new(answers.into_iter());
    let next = move |stream: &mut UnixStream| stream.write_all(answers.lock().unwrap().next().unwrap().as_bytes());
    let daemon = Daemon::start(next).unwrap();
    let output = daemon.run(&["credentials"]).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(daemon.targets().len(), 2);
    let daemon = Daemon::answering("").unwrap();
    assert_refused(&daemon.run(&["credentials"]).unwrap(), 75, "connection broke");
    assert_eq!(daemon.targets().len(), 2, "not for ever");
}

#[test]
fn what_no_gatepost_daemon_says() {
    let without = |name: &str| http("200 OK", &CREDENTIALS.replace(name, "X"));
    for (answer, code, reason) in [
        ("garbage\r\n\r\n".to_owned(), 76, "status line"),
        ("\0".repeat(100_000), 76, "too large"),
        (String::new(), 75, "connection broke"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_owned(),
            75,
            "connection broke",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n{}".to_owned(), 76, "framing"),
        (
            http("200 OK", &format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20))),
            76,
            "too large",
        ),
        (http("200 OK", "a secret"), 76, "no JSON"),
        (http("200 OK", "[1]"), 76, "Version"),
        (http("200 OK", "{}"), 76, "Version"),
        (
            http("200 OK", &CREDENTIALS.replace("\"Version\":1", "\"Version\":\"1\"")),
            76,
            "Version",
        ),
        (without("SessionToken"), 76, "SessionToken"),
        (without("SecretAccessKey"), 76, "SecretAccessKey"),
        (without("Expiration"), 76, "Expiration"),
        (
            http("200 OK", &CREDENTIALS.replace("ASIAEXAMPLE", "")),
            76,
            "AccessKeyId",
        ),
    ] {
        let output = Daemon::answering(answer).unwrap().run(&["credentials"]).unwrap();
        assert_refused(&output, code, reason);
    }
    for arguments in [&["status"][..], &["status", "--json"], &["csr"]] {
        assert_refused(
            &Daemon::answering(http("200 OK", "[]")).unwrap().run(arguments).unwrap(),
            76,
            "not one of",
        );
    }
}

#[test]
fn a_daemon_that_never_answers_is_given_up() {
    let hanging = Daemon::start(|stream| stream.read(&mut [0]).map(drop)).unwrap();
    assert_refused(&hanging.run(&["credentials"]).unwrap(), 75, "within 2 s");
}

#[test]
fn a_daemon_that_dribbles_is_given_up() {
    let dribbling = Daemon::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        loop {
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    assert_refused(&dribbling.unwrap().run(&["credentials"]).unwrap(), 75, "within 2 s");
}

#[test]
fn a_daemon_that_does_not_even_accept_is_given_up() {
    let folder = Folder::new().unwrap();
    let path = folder.join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    // Connections nobody accepts stay in the backlog; once it is full, connecting blocks: then it is the command's turn.
    let (sender, receiver) = std::sync::mpsc::channel();
    let filling = path.clone();
    std::thread::spawn(move || while UnixStream::connect(&filling).map(|_| sender.send(())).is_ok() {});
    while receiver.recv_timeout(Duration::from_millis(200)).is_ok() {}
    assert_refused(&run(&path, &["credentials"]).unwrap(), 75, "within 2 s");
}

#[test]
fn no_daemon() {
    let folder = Folder::new().unwrap();
    let stale = folder.join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    std::fs::write(folder.join("file"), "").unwrap();
    for (path, code, reason) in [
        (folder.join("none"), 69, "not running"),
        (stale, 69, "not running"),
        (folder.join("file"), 69, "not running"),
        (folder.join("file").join("below"), 69, "not running"),
        (folder.join(&"x".repeat(200)), 64, "cannot be a socket"),
    ] {
        for arguments in [&["credentials", "telemetry"][..], &["status"], &["csr"]] {
            let output = run(&path, arguments).unwrap();
            assert_refused(&output, code, reason);
            assert!(stderr(&output).contains("systemctl status gatepost"), "{output:?}");
        }
    }
}

#[test]
fn a_socket_this_user_may_not_open() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let daemon = Daemon::answering(http("200 OK", CREDENTIALS)).unwrap();
    std::fs::set_permissions(daemon.socket(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = command(&daemon.socket(), &["credentials"]);
    let folder = Folder::new().unwrap();
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        // Nothing is forbidden to root: nobody runs it instead, from a place that nobody may enter.
        let copy = folder.join("gatepost");
        std::fs::copy(support::GATEPOST, &copy).unwrap();
        command = std::process::Command::new(copy);
        command
            .args(["credentials", "--socket"])
            .arg(daemon.socket())
            .uid(65_534)
            .gid(65_534);
    } else {
        std::fs::set_permissions(daemon.socket(), std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    // A process that another test starts just now holds the copy open for writing, until its own exec.
    let busy = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ExecutableFileBusy;
    let mut output = command.output();
    while output.as_ref().is_err_and(busy) {
        output = command.output();
    }
    assert_refused(&output.unwrap(), 77, "may not open the socket");
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

    // Longer than anybody waits.
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
        (&["--version"], concat!("gatepost ", env!("CARGO_PKG_VERSION"), "\n")),
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

    // The reader of the pipe is gone before the command starts.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&daemon.socket(), &["credentials"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(74), ""));

    // And one whose stderr is gone as well still ends with its code.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = command(Path::new("/nonexistent"), &["status"])
        .stderr(writer)
        .stdout(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(69));
}
