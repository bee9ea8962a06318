//! Tests of the command: a CA in a token, a rollover by signal, and invalid options.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Client, openssl};
use rig::process::{Process, Signal};
use rig::token::{KeyKind, SoftHsm, Token};

const PATIENCE: Duration = Duration::from_secs(60);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_est-server"));
    command.args(arguments);
    command
}

/// Returns a client of the server that has just been started.
fn client_of(server: &Process) -> Client {
    let value = |name: &str| {
        let line = server.wait_for_line(PATIENCE, |line| line.starts_with(name)).unwrap();
        line.split_once(": ").unwrap().1.trim().to_owned()
    };
    let root = std::fs::read_to_string(value("server CA:")).unwrap();
    Client::of(&value("url:"), &root)
}

/// Creates an intermediate CA whose key is in the token, and the root above it.
fn ca_of_token(token: &SoftHsm, folder: &Path) {
    std::fs::write(folder.join("public.der"), token.public_key("01").unwrap()).unwrap();
    let script = "openssl pkey -pubin -inform DER -in public.der -out public.pem
        openssl ecparam -genkey -name prime256v1 -noout -out root.key
        openssl req -x509 -new -key root.key -subj '/CN=Root' -addext keyUsage=critical,keyCertSign -days 30 -out root.pem
        printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' > ext
        openssl x509 -new -force_pubkey public.pem -subj '/O=Fleet/CN=Token CA' -CA root.pem -CAkey root.key -days 30 -extfile ext -out sub.pem
        cat sub.pem root.pem > chain.pem";
    let done = Command::new("sh")
        .current_dir(folder)
        .args(["-ec", script])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_ca_whose_key_is_in_a_token_issues() {
    for kind in [KeyKind::EcP256, KeyKind::Rsa2048] {
        let token = SoftHsm::new("est ca", "1234").unwrap();
        token.generate(kind, "ca", "01").unwrap();
        let folder = tempfile::tempdir().unwrap();
        ca_of_token(&token, folder.path());
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut command = command(&["run", "--port", "0", "--open", "--order", "leaf-last"]);
        command.args([
            "--ca-certificate",
            &file("chain.pem"),
            "--ca-key",
            "pkcs11:token=est%20ca;object=ca",
        ]);
        command
            .arg("--pkcs11-module")
            .arg(token.module())
            .arg("--pin-file")
            .arg(token.pin_file());
        command.envs(token.env());
        let server = Process::spawn(&mut command, "est-server").unwrap();
        let client = client_of(&server);
        client.write_request("gw-1");
        client.write("all.pem", &client.read_pkcs7(&client.enrol(&[]).body));
        let split = "awk '/BEGIN/{n++} {print > (\"part\" n \".pem\")}' all.pem";
        openssl(&client, split);
        std::fs::copy(folder.path().join("root.pem"), client.folder().join("root.pem")).unwrap();
        let verify = "openssl verify -x509_strict -purpose sslclient -CAfile root.pem -untrusted part1.pem part3.pem";
        assert_eq!(openssl(&client, verify), "part3.pem: OK\n", "{kind:?}");
    }
}

#[test]
fn a_signal_replaces_the_ca_and_the_folder_keeps_both() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let start = || {
        Process::spawn(
            &mut command(&["run", "--port", "0", "--open", "--dir", &dir]),
            "est-server",
        )
        .unwrap()
    };
    let mut server = start();
    let _ = client_of(&server);
    server.signal(Signal::USR1).unwrap();
    server
        .wait_for_line(PATIENCE, |line| line.ends_with("the CA is now EST Trial CA 2"))
        .unwrap();
    server.signal(Signal::TERM).unwrap();
    assert!(server.wait(PATIENCE).unwrap().success());
    let server = start();
    let client = client_of(&server);
    client.write_request("gw-1");
    let issued = client.read_pkcs7(&client.enrol(&[]).body);
    assert!(issued.contains("issuer=CN = EST Trial CA 2"), "{issued}");
}

#[test]
fn nonsensical_values_are_refused_with_a_reason() {
    for (arguments, why) in [
        (&[][..], "nothing to do"),
        (&["run", "--nonsense"], "no option --nonsense"),
        (&["run", "--body", "xml"], "it is one of base64, lines"),
        (&["run", "--fault", "explode"], "is not a fault"),
        (&["run", "--user", "name-alone"], "a user is NAME:FILE"),
        (&["run", "--ca-key", "/dev/null"], "belong together"),
        (&["run", "--user", "gw:/nonexistent/secret"], "/nonexistent/secret"),
        (
            &["run", "--ca-certificate", "/dev/null", "--ca-key", "/dev/null"],
            "CA: the key",
        ),
        (
            &[
                "run",
                "--ca-certificate",
                "/dev/null",
                "--ca-key",
                "pkcs11:token=a;object=b",
            ],
            "needs --pkcs11-module",
        ),
        (&["run", "--lifetime", "soon"], "soon"),
    ] {
        let output = command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && error.contains(why),
            "{arguments:?}: {error}"
        );
    }
}
