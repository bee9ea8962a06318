//! Tests that a change of each key is noticed and named, and takes effect when the table and the documentation say so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::config::test_files::{self, MINIMUM};

/// Returns a configuration with a role alias, a rule, EST and a proxy.
fn base() -> String {
    format!(
        "{MINIMUM}[[role-alias]]\nname = \"telemetry\"\n[[access]]\nuser = \"camera\"\nrole-aliases = [\"telemetry\"]\n\
         [enrolment.est]\nurl = \"https://est.example\"\nserver-ca = \"/etc/gatepost/est.pem\"\n\
         bootstrap-certificate = \"/etc/gatepost/idevid.pem\"\nbootstrap-key = \"pkcs11:object=idevid\"\n\
         [enrolment.claim]\ntemplate = \"gateways\"\ncertificate = \"/etc/gatepost/claim.pem\"\n\
         [network]\nproxy = \"http://proxy.example:3128\"\nproxy-user = \"base\"\n"
    )
}

fn load(main: &str, more: &str) -> Config {
    test_files::load(main, &[("more.toml", more)]).unwrap_or_else(|error| panic!("{more}: {error}"))
}

#[test]
fn a_change_of_each_key_is_named_and_no_other() {
    let values = [
        ("aws.mqtt-endpoint", "\"b2-ats.iot.us-east-2.amazonaws.com\""),
        (
            "aws.credentials-endpoint",
            "\"d5.credentials.iot.us-east-2.amazonaws.com\"",
        ),
        ("aws.root-ca", "\"/etc/gatepost/roots.pem\""),
        ("aws.mqtt-alpn", "\"x-amzn-mqtt-ca\""),
        ("aws.sts-endpoint", "\"sts-fips.us-east-2.amazonaws.com\""),
        ("token.module", "\"/opt/other.so\""),
        ("token.key", "\"pkcs11:token=other;object=device\""),
        ("token.pin-file", "\"/etc/gatepost/pin\""),
        ("token.generate", "\"never\""),
        ("identity.certificate", "\"/etc/gatepost/device.pem\""),
        ("identity.ca-chain", "\"/etc/gatepost/chain.pem\""),
        ("identity.thing-name", "\"SN-1\""),
        ("identity.subject.common-name", "\"gw-2\""),
        ("identity.subject.country", "\"IN\""),
        ("identity.subject.state", "\"Karnataka\""),
        ("identity.subject.locality", "\"Bengaluru\""),
        ("identity.subject.organization", "\"Example\""),
        ("identity.subject.organizational-unit", "\"Gateways\""),
        ("identity.subject.serial-number", "\"SN-1\""),
        ("identity.subject.dn-qualifier", "\"batch-7\""),
        ("role-alias", "[{ name = \"video\" }]"),
        ("access", "[{ uid = 1 }]"),
        (
            "credentials-file",
            "[{ role-alias = \"telemetry\", owner = \"camera\", format = \"aws\" }]",
        ),
        ("loopback.listen", "\"127.0.0.1:9922\""),
        ("local-mqtt.socket", "true"),
        ("local-mqtt.listen", "\"127.0.0.1:1883\""),
        ("mqtt.keep-alive", "\"5min\""),
        ("mqtt.session-expiry", "\"1h\""),
        ("mqtt.presence-topic", "\"\""),
        ("mqtt.report-interval", "\"off\""),
        ("mqtt.publish-rate", "20"),
        ("mqtt.outbox-max-bytes", "1000000"),
        ("mqtt.outbox-max-messages", "10"),
        ("mqtt.outbox-max-age", "\"1day\""),
        ("mqtt.outbox-when-full", "\"drop-oldest\""),
        ("mqtt.inbox-max-bytes", "1000000"),
        ("mqtt.inbox-max-messages", "10"),
        ("enrolment.method", "\"est\""),
        ("enrolment.rotation-jobs", "true"),
        ("enrolment.renew-key", "\"new\""),
        ("enrolment.est.url", "\"https://est.example/.well-known/est/fleet\""),
        ("enrolment.est.server-ca", "\"/etc/gatepost/other.pem\""),
        ("enrolment.est.user", "\"gw\""),
        ("enrolment.est.secret-file", "\"/etc/gatepost/secret\""),
        ("enrolment.est.bootstrap-certificate", "\"/etc/gatepost/other.pem\""),
        ("enrolment.est.bootstrap-key", "\"pkcs11:object=other\""),
        ("enrolment.claim.template", "\"others\""),
        ("enrolment.claim.certificate", "\"/etc/gatepost/other.pem\""),
        ("enrolment.claim.key", "\"pkcs11:object=claim\""),
        ("enrolment.claim.key-file", "\"/etc/gatepost/claim.key\""),
        ("enrolment.claim.parameters", "{ SerialNumber = \"7\" }"),
        ("network.proxy", "\"http://other.example:3128\""),
        ("network.proxy-user", "\"gw\""),
        ("network.proxy-secret-file", "\"/etc/gatepost/proxy-secret\""),
        ("network.no-proxy", "[\"est.example\"]"),
    ];
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(names, values.map(|(name, _)| name));
    let old = load(&base(), "");
    assert!(Changes::between(&old, &load(&base(), "# a comment\n")).is_empty());
    for ((name, value), key) in values.into_iter().zip(KEYS) {
        let new = load(&base(), &format!("{name} = {value}\n"));
        let changes = Changes::between(&old, &new);
        assert_eq!(changes.all(), [name]);
        assert_eq!(changes.at_restart.is_empty(), key.takes_effect == TakesEffect::AtReload);
        // Keys that wait for a restart still differ after a reload; loaded keys do not.
        let left = Changes::between(&old.reloaded(new.clone()), &new);
        assert_eq!(left.at_restart, changes.at_restart);
        assert!(left.at_reload.is_empty(), "{left:?}");
    }
}

#[test]
fn a_rule_that_only_moved_is_the_same() {
    let rule = "[[access]]\nuid = 1\n";
    let moved = load(&format!("{}{rule}", base()), "");
    assert!(Changes::between(&moved, &load(&base(), rule)).is_empty());
}

/// docs/configuration.md has a table of keys for each section, and one of when each takes effect.
#[test]
fn the_documentation_says_when_each_key_takes_effect() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = fs::read_to_string(path).unwrap();
    let mut section = "";
    let (mut documented, mut effects) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let cells: Vec<&str> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let table = section.trim_matches(['`', '[', ']']);
        let [first, .., last] = cells.as_slice() else { continue };
        if section == "What takes effect when" && first.starts_with('`') {
            let takes_effect = match *last {
                "at a reload" => TakesEffect::AtReload,
                "at a restart" => TakesEffect::AtRestart,
                other => panic!("{other:?} says not when"),
            };
            for name in first.split(", ") {
                effects.insert((name.trim_matches('`').to_owned(), takes_effect == TakesEffect::AtReload));
            }
        } else if section.starts_with("`[[") && first.starts_with('`') {
            documented.insert(table.to_owned());
        } else if section.starts_with("`[")
            && first.starts_with('`')
            && !["`subject`", "`est`", "`claim`"].contains(first)
        {
            documented.insert(format!("{table}.{}", first.trim_matches('`')));
        }
    }
    let declared: BTreeSet<_> = KEYS
        .iter()
        .map(|key| (key.name.to_owned(), key.takes_effect == TakesEffect::AtReload))
        .collect();
    let names: BTreeSet<_> = declared.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(
        documented, names,
        "the keys that are documented, and those of the table"
    );
    assert_eq!(
        effects, declared,
        "what docs/configuration.md says, and what the table says"
    );
}
