//! Promise 10 if somebody puts a private key into the wrong file or key: it is refused, and no part of it is ever printed.

use std::fs;
use std::path::Path;
use std::process::Command;

use rig::fleet_ca::SoftwareKey;
use serde_json::Value;

use crate::support::{Gateway, World};

/// Length of a part of the key, long enough not to occur by chance.
const PART: usize = 12;

/// A private key as PEM, and the forms in which it could appear.
struct Secret {
    pem: String,
    parts: Vec<String>,
}

impl Secret {
    fn new() -> Self {
        let pem = fs::read_to_string(SoftwareKey::new("/CN=gw-1").unwrap().key_path()).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let parts = body.as_bytes().windows(PART).flat_map(|part| {
            let debug = format!("{part:?}");
            let text = String::from_utf8(part.to_vec()).unwrap();
            [text, debug.trim_matches(['[', ']']).to_owned()]
        });
        let parts = parts.collect();
        Self { pem, parts }
    }

    /// Returns the key in one line, as in JSON or an environment variable.
    fn in_one_line(&self) -> String {
        self.pem.trim_end().replace('\n', "\\n")
    }

    fn is_not_in(&self, place: &str, output: &str) {
        let found = self.parts.iter().find(|part| output.contains(part.as_str()));
        assert!(found.is_none(), "{place}: {found:?} is in:\n{output}");
    }
}

/// Returns the output of a command on both streams.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let streams = [output.stdout, output.stderr];
    streams
        .map(|stream| String::from_utf8_lossy(&stream).into_owned())
        .join("\n")
}

/// Returns the output of all commands that read the configuration without a daemon.
fn outputs(gateway: &Gateway) -> Vec<(&'static str, String)> {
    let command = |words: &[&str]| said(gateway.command().args(words));
    let client = |words: &[&str]| {
        said(
            Command::new(gateway.client())
                .args(words)
                .arg("--config")
                .arg(gateway.write_config()),
        )
    };
    vec![
        ("--check-config", command(&["--check-config"])),
        ("--print-policy", command(&["--print-policy"])),
        ("--check --as root", command(&["--check", "--as", "root"])),
        ("check --json", client(&["check", "--json"])),
    ]
}

/// Returns configurations in which the key's text replaces, or stands beside, each value that a person writes.
fn configurations(good: &str, key: &str) -> Vec<(String, String)> {
    let literal = format!("'{key}'");
    let mut all = Vec::new();
    for (table, name) in [
        ("[aws]", "mqtt-endpoint"),
        ("[aws]", "credentials-endpoint"),
        ("[aws]", "root-ca"),
        ("[token]", "module"),
        ("[token]", "key"),
        ("[token]", "pin-file"),
        ("[token]", "generate"),
        ("[identity]", "certificate"),
        ("[identity]", "ca-chain"),
        ("[identity]", "thing-name"),
        ("[[role-alias]]", "name"),
        ("[[access]]", "user"),
        ("[[access]]", "group"),
        ("[[access]]", "unit"),
        ("[mqtt]", "keep-alive"),
        ("[mqtt]", "presence-topic"),
        ("[mqtt]", "outbox-when-full"),
        ("[mqtt]", "publish-rate"),
        ("[loopback]", "listen"),
    ] {
        let kept = good
            .lines()
            .filter(|line| !line.starts_with(&format!("{name} =")) || !good.contains(table));
        let kept: Vec<&str> = kept.collect();
        let text = match good.contains(table) {
            true => kept
                .join("\n")
                .replacen(table, &format!("{table}\n{name} = {literal}"), 1),
            false => format!("{good}\n{table}\n{name} = {literal}\n"),
        };
        all.push((format!("{table} {name}"), text));
    }
    for name in ["role-aliases", "publish", "subscribe"] {
        let rule = format!("{good}\n[[access]]\nuid = 7\n{name} = [{literal}]\n");
        all.push((format!("[[access]] {name}"), rule));
    }
    for name in ["common-name", "organization", "serial-number", "country"] {
        let text = good.replace("[identity]", &format!("[identity]\nsubject.{name} = {literal}"));
        let text = text
            .lines()
            .filter(|line| !line.starts_with("subject ="))
            .collect::<Vec<_>>()
            .join("\n");
        all.push((format!("subject {name}"), text));
    }
    for (name, line) in [
        ("key URI", format!("[token]\nkey = 'pkcs11:object={key}'")),
        ("key URI's attribute", format!("[token]\nkey = 'pkcs11:{key}=x'")),
        (
            "key URI's PIN",
            format!("[token]\nkey = 'pkcs11:object=a?pin-value={key}'"),
        ),
        ("endpoint's port", format!("[aws]\nmqtt-endpoint = 'localhost:{key}'")),
        ("unknown key", format!("[token]\npin = {literal}")),
        ("name of a key", format!("[token]\n{literal} = 1")),
        ("name of a table", format!("[{literal}]\na = 1")),
        ("no quotation marks", format!("[token]\npin-file = {key}")),
        ("no end", format!("[token]\npin-file = '{key}")),
        ("basic string without end", format!("[token]\npin-file = \"{key}")),
        ("several lines", format!("[token]\npin-file = '''\n{key}\n'''")),
        ("several lines without end", format!("[token]\npin-file = '''\n{key}\n")),
        ("a list", format!("[token]\npin-file = [{literal}]")),
        ("a line of its own", key.to_owned()),
        ("lines of its own", key.replace("\\n", "\n")),
    ] {
        all.push((name.to_owned(), line));
    }
    all
}

#[test]
fn promise_10_a_private_key_in_the_configuration_is_never_repeated() {
    let secret = Secret::new();
    let mut world = World::new();
    let good = world.gateway.config.clone();
    let key = secret.in_one_line();
    let drop_in = world.gateway.folder.path().join("conf.d/50-mine.toml");
    fs::create_dir(drop_in.parent().unwrap()).unwrap();
    for (place, text) in configurations(&good, &key) {
        // Text that is not a complete configuration is tried as a drop-in.
        match text.contains("[role-alias") || text.contains("[[role-alias") {
            true => world.gateway.config = text,
            false => fs::write(&drop_in, text).unwrap(),
        }
        let outputs = outputs(&world.gateway);
        for (command, output) in &outputs {
            secret.is_not_in(&format!("{place}, {command}"), output);
        }
        let (_, checked) = &outputs[0];
        assert!(!checked.contains(": good\n"), "{place}: {checked}");
        let (status, log) = world.gateway.run_to_the_end();
        assert_eq!(status.code(), Some(78), "{place}: {log}");
        secret.is_not_in(&format!("{place}, the journal"), &log);
        world.gateway.config.clone_from(&good);
        let _ = fs::remove_file(&drop_in);
    }
}

/// Returns the key in the forms in which it may end up in a file.
fn contents(secret: &Secret, certificate: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (pem, line) = (&secret.pem, secret.in_one_line());
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let certificate_label = pem
        .replace("EC PRIVATE KEY", "CERTIFICATE")
        .replace("PRIVATE KEY", "CERTIFICATE");
    let utf16 = format!("\u{feff}{pem}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    vec![
        ("one line", line.clone().into_bytes()),
        ("PEM", pem.clone().into_bytes()),
        ("PEM, cut", pem.as_bytes()[..pem.len() * 2 / 3].to_vec()),
        ("JSON", format!("{{\"PrivateKey\": \"{line}\"}}").into_bytes()),
        ("base64", body.into_bytes()),
        ("as CERTIFICATE", certificate_label.into_bytes()),
        ("UTF-16", utf16),
        (
            "after a certificate, in one line",
            format!("{certificate}{line}").into_bytes(),
        ),
    ]
}

#[test]
fn promise_10_a_private_key_in_a_file_of_certificates_is_never_repeated() {
    let secret = Secret::new();
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    let certificate = world.ca.sign_v3(&csr).unwrap();
    let status_of = |gateway: &Gateway| -> Vec<String> {
        let client = |words: &[&str]| {
            let mut command = Command::new(gateway.client());
            said(command.args(words).env("GATEPOST_SOCKET", gateway.socket()))
        };
        vec![
            gateway.status().to_string(),
            client(&["status"]),
            client(&["csr"]),
            client(&["status", "--json"]),
        ]
    };
    for (form, content) in contents(&secret, &certificate) {
        fs::write(world.gateway.state("device.pem"), &content).unwrap();
        if form.starts_with("after a certificate") {
            world.gateway.wait_for_text("identity.phase", "ready");
        } else {
            world
                .gateway
                .wait_for_words("identity.problem.message", "has a private key in it");
            let problem = world.gateway.status()["identity"]["problem"].clone();
            assert_eq!(problem["remedy"], Value::from("configuration"));
            assert!(
                problem["next_step"]
                    .as_str()
                    .unwrap()
                    .contains("treat that key as compromised"),
                "{problem}"
            );
        }
        for output in status_of(&world.gateway) {
            secret.is_not_in(&format!("device.pem, {form}"), &output);
        }
        for (command, output) in outputs(&world.gateway) {
            secret.is_not_in(&format!("device.pem, {form}, {command}"), &output);
        }
        fs::remove_file(world.gateway.state("device.pem")).unwrap();
    }
    world.gateway.stop();
    secret.is_not_in("the journal", &world.gateway.log());

    // root-ca, ca-chain and the PIN file are read at the start, which fails without a last good configuration.
    let _ = fs::remove_file(world.gateway.state("last-good.json"));
    let wrong = world.gateway.folder.path().join("wrong");
    let wrong_line = |name: &str| format!("{name} = \"{}\"", wrong.display());
    let good = world.gateway.config.clone();
    for (name, code) in [("root-ca", Some(78)), ("pin-file", Some(78)), ("ca-chain", None)] {
        for (form, content) in contents(&secret, &certificate) {
            write_closed(&wrong, &content);
            let lines = good.lines().map(|line| match line.starts_with(&format!("{name} =")) {
                true => wrong_line(name),
                false => line.to_owned(),
            });
            world.gateway.config = lines.collect::<Vec<_>>().join("\n");
            let place = format!("{name}, {form}");
            for (command, output) in outputs(&world.gateway).into_iter().take(1) {
                secret.is_not_in(&format!("{place}, {command}"), &output);
                let is_certificates = form.starts_with("after a certificate") || name == "pin-file";
                assert!(
                    is_certificates || output.contains("has a private key in it"),
                    "{place}: {output}"
                );
            }
            // A PIN file that contains a key is refused before the token sees it.
            let is_once = name != "pin-file" || form == "one line";
            if let Some(code) = code.filter(|_| is_once && !form.starts_with("after a certificate")) {
                let (status, log) = world.gateway.run_to_the_end();
                assert_eq!(status.code(), Some(code), "{place}: {log}");
                secret.is_not_in(&place, &log);
            }
        }
    }
}

fn write_closed(path: &Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
