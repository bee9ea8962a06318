//! Tests for each kind of fault in a configuration, and its message.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::load as load_config;
use super::test_files::{MINIMUM, load};
use super::*;

#[test]
fn the_minimum_is_two_endpoints_and_a_key() {
    let config = load(MINIMUM, &[]).unwrap();
    assert_eq!(config.aws.mqtt_endpoint.port, 8883);
    assert_eq!(config.aws.credentials_endpoint.port, 443);
    assert_eq!(config.identity.certificate, Path::new("/var/lib/gatepost/device.pem"));
    assert_eq!(config.mqtt.keep_alive, Duration::from_secs(60));
    assert!(config.role_aliases.is_empty() && config.access.is_empty());
}

#[test]
fn an_editors_files_in_conf_d_are_not_read() {
    let leftovers = [".#x.toml", ".x.toml", "x.toml~", "#x.toml#", "x.toml.dpkg-old"];
    let dropped = leftovers.map(|name| (name, "nonsense"));
    load(MINIMUM, &dropped).unwrap();
}

#[test]
fn a_file_that_every_user_may_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (etc, folders) = (folder.path().join("etc"), Folders::from_environment());
    let at = |name: &str| etc.join(name);
    fs::create_dir_all(at("conf.d")).unwrap();
    let (module, roots) = (folder.path().join("module.so"), folder.path().join("roots.pem"));
    let named = MINIMUM
        .replace("/usr/lib/softhsm/libsofthsm2.so", module.to_str().unwrap())
        .replace("[token]", &format!("root-ca = \"{}\"\n[token]", roots.display()));
    fs::write(at("gatepost.toml"), named).unwrap();
    for file in [&at("conf.d/x.toml"), &module, &roots] {
        fs::write(file, "").unwrap();
    }
    for (name, mode, refused) in [
        ("gatepost.toml", 0o664, false),
        ("gatepost.toml", 0o646, true),
        ("conf.d/x.toml", 0o640, false),
        ("conf.d/x.toml", 0o622, true),
        ("conf.d", 0o775, false),
        ("conf.d", 0o777, true),
        ("conf.d", 0o1777, true),
        // A user who may write the folder could replace the file, or create a conf.d.
        ("", 0o775, false),
        ("", 0o757, true),
        ("", 0o1777, true),
        ("../module.so", 0o775, false),
        ("../module.so", 0o757, true),
        ("../roots.pem", 0o644, false),
        ("../roots.pem", 0o666, true),
    ] {
        let before = fs::metadata(at(name)).unwrap().permissions();
        fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        let outcome = load_config(&at("gatepost.toml"), &folders).map_err(|error| error.to_string());
        fs::set_permissions(at(name), before).unwrap();
        assert_eq!(outcome.is_err(), refused, "{name} {mode:o}: {outcome:?}");
        let said = outcome.err().unwrap_or_default();
        assert!(
            !refused || said.contains("every user may write it"),
            "{name} {mode:o}: {said}"
        );
    }
}

#[test]
fn later_files_override_keys_and_add_rules() {
    let first = "[[role-alias]]\nname = \"telemetry\"\n[[access]]\nuser = \"camera\"\nrole-aliases = [\"telemetry\"]\n";
    let second = "[mqtt]\nkeep-alive = \"5min\"\n[[access]]\nuid = 7\nrole-aliases = [\"*\"]\n";
    let third = "[mqtt]\nkeep-alive = \"10min\"\n";
    let config = load(
        MINIMUM,
        &[("20-b.toml", second), ("10-a.toml", first), ("30-c.toml", third)],
    )
    .unwrap();
    assert_eq!(config.mqtt.keep_alive, Duration::from_secs(600));
    assert_eq!(config.default_alias(), Some("telemetry"), "the only one is the default");
    let users: Vec<_> = config.access.iter().map(|rule| rule.who.user.as_deref()).collect();
    assert_eq!(users, [Some("camera"), None]);
    assert_eq!(config.access[1].role_aliases, Aliases::All);
}

#[test]
fn every_message_names_file_key_and_reason() {
    let cases = [
        (
            "[token]\nmodul = \"x\"",
            "conf.d/x.toml:2:1: unknown field `modul`, expected one of",
        ),
        (
            "[mqtt]\nkeep-alive = 60",
            "conf.d/x.toml:2:14: keep-alive: invalid type: integer, expected a string",
        ),
        ("[aws", "conf.d/x.toml:1:5: "),
        (
            "[aws]\nmqtt-endpoint = \"https://a1.example\"",
            "conf.d/x.toml: aws.mqtt-endpoint: \"https://a1.example\" is a URL",
        ),
        (
            "[aws]\nmqtt-endpoint = \"not a host\"",
            "conf.d/x.toml: aws.mqtt-endpoint: \"not a host\" is not a host name",
        ),
        (
            "[aws]\nmqtt-endpoint = \"a1b2c3-ats.iot.REGION.amazonaws.com\"\n",
            "conf.d/x.toml: aws.mqtt-endpoint: \"a1b2c3-ats.iot.REGION.amazonaws.com\" is the sample's placeholder",
        ),
        (
            "[aws]\nroot-ca = \"roots.pem\"",
            "conf.d/x.toml: aws.root-ca: is not an absolute path",
        ),
        (
            "[token]\nkey = \"pkcs11:token=a;token=b;object=c\"",
            "conf.d/x.toml: token.key: ",
        ),
        (
            "[token]\nkey = \"pkcs11:token=a\"",
            "conf.d/x.toml: token.key: names no object",
        ),
        (
            "[token]\ngenerate = \"rsa-1024\"",
            "conf.d/x.toml: token.generate: is none of",
        ),
        (
            "[identity]\nsubject = { country = \"India\" }",
            "conf.d/x.toml: identity.subject.country: \"India\"",
        ),
        (
            "[identity]\nsubject = { common-name = \"gw.1\" }",
            "conf.d/x.toml: identity.subject.common-name: \"gw.1\" cannot be a thing name",
        ),
        (
            "[[role-alias]]\nname = \"a b\"",
            "conf.d/x.toml: role-alias[0].name: \"a b\" is not a role alias",
        ),
        (
            "[[role-alias]]\ndefault = true",
            "conf.d/x.toml: role-alias[0].name: is not set",
        ),
        (
            "[[role-alias]]\nname = \"a\"\n[[role-alias]]\nname = \"a\"",
            "role-alias[1]: a second role alias named \"a\"",
        ),
        (
            "[[access]]\nrole-aliases = [\"*\"]",
            "conf.d/x.toml: access[0]: selects nobody",
        ),
        (
            "[[access]]\nuid = 1\nrole-aliases = [\"b\"]",
            "conf.d/x.toml: access[0].role-aliases: no [[role-alias]] is named \"b\"",
        ),
        (
            "[[access]]\nuid = 4294967295",
            "conf.d/x.toml: access[0].uid: 4294967295 is -1 as the kernel reads it",
        ),
        (
            "[[access]]\ngid = 4294967295",
            "conf.d/x.toml: access[0].gid: 4294967295 is -1 as the kernel reads it",
        ),
        (
            "[[access]]\nuid = 1\npublish = [\"{thng}/camera\"]",
            "conf.d/x.toml: access[0].publish: \"{thng}/camera\" has an unknown placeholder, \"{thng}\": did you mean {thing}?",
        ),
        (
            "[[access]]\nuid = 1\nsubscribe = [\"{thing}/a\", \"{Thing}/#\"]",
            "conf.d/x.toml: access[0].subscribe: \"{Thing}/#\" has an unknown placeholder",
        ),
        (
            "[mqtt]\npresence-topic = \"{thing-name}/status\"",
            "conf.d/x.toml: mqtt.presence-topic: \"{thing-name}/status\" has an unknown placeholder",
        ),
        (
            "[identity]\nsubject = { common-name = \"gw-{machineid}\" }",
            "conf.d/x.toml: identity.subject.common-name: \"gw-{machineid}\" has an unknown placeholder, \"{machineid}\": did you mean \
             {machine-id}?",
        ),
        (
            "[identity]\nthing-name = \"gw-1\"\nsubject = { common-name = \"Gateway {hostnam}\" }",
            "conf.d/x.toml: identity.subject.common-name: \"Gateway {hostnam}\" has an unknown placeholder",
        ),
        (
            "[mqtt]\nkeep-alive = \"5s\"",
            "conf.d/x.toml: mqtt.keep-alive: \"5s\" is outside of what can be used: 30s to 20m",
        ),
        (
            "[mqtt]\nsession-expiry = \"soon\"",
            "conf.d/x.toml: mqtt.session-expiry: \"soon\" is not a duration",
        ),
        (
            "[mqtt]\npresence-topic = \"a/#\"",
            "conf.d/x.toml: mqtt.presence-topic: the topic has a wildcard",
        ),
    ];
    for (text, expected) in cases {
        let message = load(MINIMUM, &[("x.toml", text)]).expect_err(text);
        assert!(
            message.contains(expected),
            "{text}\ngave     {message}\nexpected {expected}"
        );
    }
}

#[test]
fn promise_10_a_pin_in_the_wrong_place_is_not_repeated() {
    let lines = [
        "pin = \"74839201\"",
        "pin-file = 74839201",
        "pin-file = \"74839201\"",
        "pin-file = [\"74839201\"]",
        "pin-file = \"74839201",
        "pin-file = 74839201 # x = y",
        "key = \"pkcs11:object=a?pin-value=74839201\"",
        "key = \"pkcs11:object=74839201",
        "generate = 74839201",
        "generate = \"74839201\"",
    ];
    for line in lines {
        let message = load(MINIMUM, &[("x.toml", &format!("[token]\n{line}\n"))]).expect_err(line);
        assert!(
            message.contains("conf.d/x.toml") && !message.contains("74839201"),
            "{line}: {message}"
        );
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let message = load("[identity]\nsubject = { common-name = \"gw-1\" }\n", &[]).unwrap_err();
    for key in [
        "aws.mqtt-endpoint",
        "aws.credentials-endpoint",
        "token.module",
        "token.key",
    ] {
        assert!(
            message.contains(&format!("gatepost.toml: {key}: is not set")),
            "{message}"
        );
    }
    assert_eq!(message.lines().count(), 4, "{message}");
}

#[test]
fn a_file_whose_name_has_a_line_break_is_one_line() {
    for text in ["[aws", "[token]\nmodul = 1", "[aws]\nroot-ca = \"x\""] {
        let message = load(MINIMUM, &[("a\n\u{1b}[31mb.toml", text)]).expect_err(text);
        assert_eq!(message.lines().count(), 1, "{message:?}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let folders = Folders {
        state: "/s".into(),
        runtime: "/r".into(),
        credentials: None,
    };
    let error = load_config(Path::new("/nonexistent/gatepost.toml"), &folders)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent/gatepost.toml: cannot be read: No such file"),
        "{error}"
    );
}

#[test]
fn alpn_follows_the_port_unless_it_is_configured() {
    const ALPN: &[&str] = &["x-amzn-mqtt-ca"];
    for (port, key, alpn, notes) in [
        ("8883", "", &[][..], 0),
        ("443", "", ALPN, 0),
        ("8883", "mqtt-alpn = \"x-amzn-mqtt-ca\"", ALPN, 0),
        ("443", "mqtt-alpn = \"x-amzn-mqtt-ca\"", ALPN, 0),
        ("8883", "mqtt-alpn = \"none\"", &[], 0),
        ("443", "mqtt-alpn = \"none\"", &[], 1),
    ] {
        let text = format!("[aws]\nmqtt-endpoint = \"a1b2c3-ats.iot.us-east-2.amazonaws.com:{port}\"\n{key}\n");
        let config = load(MINIMUM, &[("port.toml", &text)]).unwrap();
        let found = config.notes.iter().filter(|note| note.contains("SECURE_MQTT")).count();
        assert_eq!(
            (config.aws.mqtt_alpn, found),
            (alpn, notes),
            "{text}: {:?}",
            config.notes
        );
    }
    for value in ["mqtt", "http/1.1", "", "None"] {
        let text = format!("[aws]\nmqtt-alpn = \"{value}\"\n");
        let why = load(MINIMUM, &[("x.toml", &text)]).unwrap_err();
        assert!(why.contains("neither \"x-amzn-mqtt-ca\" nor \"none\""), "{why}");
    }
}
