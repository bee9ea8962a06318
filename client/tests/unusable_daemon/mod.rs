//! A daemon that is missing, does not answer, or is another program: the command gives a reason and an exit code, and never waits for ever.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::support::{self, Daemon, Folder, command, http, run};
use crate::{CREDENTIALS, assert_document, assert_refused, stderr};

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
fn responses_that_no_gatepost_daemon_sends() {
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
    let daemon = Daemon::answering(http("200 OK", "[]")).unwrap();
    for arguments in [&["status"][..], &["csr"]] {
        assert_refused(&daemon.run(arguments).unwrap(), 76, "is not from a gatepost daemon");
    }
    assert_document(
        &daemon.run(&["status", "--json"]).unwrap(),
        76,
        "is not from a gatepost daemon",
    );
}

#[test]
fn a_daemon_that_never_answers_is_given_up() {
    let hanging = Daemon::start(|stream| stream.read(&mut [0]).map(drop)).unwrap();
    assert_refused(&hanging.run(&["credentials"]).unwrap(), 75, "within 2 s");
}

#[test]
fn a_daemon_that_sends_byte_by_byte_is_given_up() {
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
    // Connections that nobody accepts stay in the backlog. Once it is full, connecting blocks; that is when the command is run.
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
            // A command about the daemon itself has another exit code than one that waits for something.
            let code = if code == 69 && arguments[0] == "status" {
                68
            } else {
                code
            };
            assert_refused(&output, code, reason);
            assert!(stderr(&output).contains("systemctl status gatepost"), "{output:?}");
        }
        let code = if code == 69 { 68 } else { code };
        assert_document(&run(&path, &["status", "--json"]).unwrap(), code, reason);
        // The deadline has already passed.
        if code == 68 {
            let waited = run(&path, &["wait", "--timeout", "1"]).unwrap();
            assert_refused(&waited, 68, "after 1 s: the daemon is not running");
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
        // Nothing is forbidden to root, so the command runs as nobody, from a place that nobody may enter.
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
    // Another test's process may have inherited the copy open for writing, until its own exec.
    let busy = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ExecutableFileBusy;
    let mut output = command.output();
    while output.as_ref().is_err_and(busy) {
        output = command.output();
    }
    assert_refused(&output.unwrap(), 77, "may not open the socket");
}
