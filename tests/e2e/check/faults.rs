//! A table of faults, each with its line and next step.

use std::fs;

use cloudlet::switches::TlsVersions;
use serde_json::Value;

use crate::command::contains_all;
use crate::support::World;

use super::{document, ended, line, provisioned};

/// A change of the configuration; the line that fails because of it, with its words, next step and exit code; and a line that is skipped
/// because of it.
struct Fault {
    old: String,
    new: String,
    line: &'static str,
    words: &'static str,
    next: &'static str,
    code: i32,
    skipped: Option<&'static str>,
}

fn faults(world: &World) -> Vec<Fault> {
    let setting = |name: &str| {
        let lines = world.gateway.config.lines();
        lines
            .into_iter()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    let wrong_pin = world.gateway.folder.path().join("wrong-pin");
    fs::write(&wrong_pin, "999999").unwrap();
    let other_ca = world.ca.ca_pem_path();
    let fault = |name: &str, new: String, line, words, next, code, skipped| Fault {
        old: setting(name),
        new,
        line,
        words,
        next,
        code,
        skipped,
    };
    let key = |uri: &str| format!("key = \"{uri}\"");
    vec![
        fault(
            "module",
            "module = \"/nowhere.so\"".into(),
            "PKCS#11 module",
            "/nowhere.so cannot be loaded",
            "token.module",
            78,
            Some("token"),
        ),
        fault(
            "module",
            "module = \"/etc/passwd\"".into(),
            "PKCS#11 module",
            "cannot be loaded",
            "token.module",
            78,
            Some("key"),
        ),
        fault(
            "key",
            key("pkcs11:token=other;object=device"),
            "token",
            "none of the tokens",
            "check that the token is there",
            68,
            Some("PIN"),
        ),
        fault(
            "pin-file",
            format!("pin-file = \"{}\"", wrong_pin.display()),
            "PIN",
            "rejected the PIN",
            "the right PIN",
            77,
            Some("key"),
        ),
        fault(
            "pin-file",
            "pin-file = \"/nowhere\"".into(),
            "PIN",
            "/nowhere cannot be read",
            "token.pin-file",
            78,
            Some("certificate"),
        ),
        fault(
            "key",
            "generate = \"never\"\n".to_owned() + &key("pkcs11:token=gateway;object=nope"),
            "key",
            "no private key matches",
            "token.generate",
            78,
            Some("certificate"),
        ),
        fault(
            "root-ca",
            format!("root-ca = \"{}\"", other_ca.display()),
            "MQTT endpoint: TLS",
            "UnknownIssuer",
            "aws.root-ca",
            78,
            Some("MQTT endpoint: CONNECT"),
        ),
        fault(
            "root-ca",
            "root-ca = \"/nowhere.pem\"".into(),
            "root CA",
            "/nowhere.pem",
            "",
            78,
            Some("MQTT endpoint: TLS"),
        ),
        fault(
            "mqtt-endpoint",
            "mqtt-endpoint = \"nowhere.invalid\"".into(),
            "MQTT endpoint: DNS",
            "nowhere.invalid has no address",
            "describe-endpoint",
            68,
            Some("MQTT endpoint: CONNECT"),
        ),
        fault(
            "credentials-endpoint",
            "credentials-endpoint = \"localhost:1\"".into(),
            "credentials endpoint: TCP",
            "localhost:1 cannot be reached",
            "firewall",
            68,
            Some("role alias telemetry"),
        ),
        fault(
            "name = \"telemetry\"",
            "name = \"video\"".into(),
            "role alias video",
            "Role alias does not exist",
            "list-role-aliases",
            78,
            Some("AWS call"),
        ),
    ]
}

#[test]
fn each_fault_has_its_line_and_its_next_step() {
    let mut world = provisioned();
    let good = world.gateway.config.clone();
    for fault in faults(&world) {
        world.gateway.configure(&fault.old, &fault.new);
        let (code, document) = document(&world);
        let line = line(&document, fault.line);
        let text = |field: &str| line[field].as_str().unwrap_or_default();
        assert_eq!(line["outcome"], "fail", "{}: {document:#}", fault.new);
        assert!(
            text("message").contains(fault.words) && text("next_step").contains(fault.next),
            "{}: {line:#}",
            fault.new
        );
        assert_eq!(code, fault.code, "{}: {document:#}", fault.new);
        assert_eq!(document["state"], "fail");
        if let Some(skipped) = fault.skipped {
            assert!(
                ended(&document, "skip").contains(&skipped),
                "{}: {document:#}",
                fault.new
            );
        }
        world.gateway.config.clone_from(&good);
    }
    // The wrong PIN was tried only once; the right one still opens the token.
    assert_eq!(document(&world).0, 68, "only the daemon is missing");

    world.gateway.config.push_str("log-level = \"info\"\n");
    let (code, wrong) = document(&world);
    assert_eq!((code, ended(&wrong, "fail")), (78, vec!["configuration", "daemon"]));
    contains_all(
        line(&wrong, "configuration")["message"].as_str().unwrap(),
        &["unknown field `log-level`"],
    );
}

#[test]
fn the_servers_are_authenticated_before_there_is_a_certificate() {
    let mut world = World::new();
    let other_ca = world.ca.ca_pem_path().display().to_string();
    let good = world.gateway.config.clone();
    let root = good
        .lines()
        .find(|line| line.starts_with("root-ca"))
        .unwrap()
        .to_owned();
    for daemon_runs in [false, true] {
        if daemon_runs {
            world.gateway.start();
            world.gateway.wait_for_csr();
        }
        for versions in [TlsVersions::Both, TlsVersions::Only12, TlsVersions::Only13] {
            world.cloud.switches().set(|switches| switches.tls_versions = versions);
            let (_, document) = document(&world);
            for name in ["MQTT endpoint: TLS", "credentials endpoint: TLS"] {
                assert_eq!(line(&document, name)["outcome"], "ok", "{versions:?}: {document:#}");
            }
        }
        // As behind a proxy that intercepts TLS: the server certificates are signed by another CA.
        world.gateway.configure(&root, &format!("root-ca = \"{other_ca}\""));
        let (code, document) = document(&world);
        for name in ["MQTT endpoint: TLS", "credentials endpoint: TLS"] {
            let line = line(&document, name);
            assert_eq!((code, &line["outcome"]), (78, &Value::from("fail")), "{document:#}");
            contains_all(&line.to_string(), &["UnknownIssuer", "a proxy that intercepts TLS"]);
        }
        world.gateway.config.clone_from(&good);
    }
}
