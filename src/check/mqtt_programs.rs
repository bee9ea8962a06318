//! Explains how the programs of a user that speak MQTT connect.

use super::lines::LOCAL_MQTT;
use super::report::{Outcome, Report};
use crate::config::{Config, LocalMqtt, Selectors};
use crate::local::{AccessRules, Caller, mqtt_socket_path};

/// The next step if no listener is configured.
const SWITCH_ON: &str = "to let programs connect by MQTT: socket = true or listen = \"127.0.0.1:1883\" in [local-mqtt], then: systemctl reload gatepost";

/// Reports how programs of a user connect. What they may publish and subscribe to is the same as over HTTP.
pub fn explain(config: &Config, account: &str, caller: &Caller, access: &AccessRules, report: &mut Report) {
    let LocalMqtt { socket, listen } = config.local_mqtt;
    if !socket && listen.is_none() {
        let message = "no listener for programs that speak MQTT is configured".to_owned();
        return report.add(LOCAL_MQTT, Outcome::Skip, message, Some(SWITCH_ON));
    }
    let rules: Vec<_> = access.selectors_for(caller).collect();
    let in_units = config.access.iter().any(|rule| rule.who.unit.is_some());
    let mut ways = Vec::new();
    if socket {
        let path = mqtt_socket_path(&config.folders.runtime);
        match (rules.is_empty(), in_units) {
            (false, _) => ways.push(format!("{} (Unix socket, no password)", path.display())),
            (true, true) => ways.push(format!(
                "{} (Unix socket, no password), only in the unit of a rule",
                path.display()
            )),
            (true, false) => {}
        }
    }
    if let Some(address) = listen {
        let passwords = passwords(config, &rules);
        ways.extend(passwords.map(|password| format!("{address}, any user name, and as the password {password}")));
    }
    match ways.is_empty() {
        false => report.ok(LOCAL_MQTT, format!("{account} connects at {}", ways.join("\nor at "))),
        true => report.add(
            LOCAL_MQTT,
            Outcome::Warn,
            format!("programs of {account} are refused: no rule names it, or none that does has a password"),
            Some("gatepost allow adds a rule; for listen it needs a token-file"),
        ),
    }
}

/// Returns where the password of each rule is. The holder of a password has the permissions of the rules with the same selectors.
fn passwords<'a>(config: &'a Config, rules: &'a [&'a Selectors]) -> impl Iterator<Item = String> {
    let alike = |selectors: &'a Selectors| config.access.iter().filter(move |rule| rule.who == *selectors);
    let mut known: Vec<&Selectors> = Vec::new();
    rules.iter().copied().filter_map(move |selectors| {
        if known.contains(&selectors) {
            return None;
        }
        known.push(selectors);
        let file = alike(selectors).find_map(|rule| rule.token_file.as_deref());
        match (file, config.loopback) {
            (Some(file), _) => Some(format!("the content of {} ({selectors})", file.display())),
            (None, Some(_)) => Some(format!(
                "its token in {} ({selectors})",
                config.folders.runtime.join("loopback").display()
            )),
            (None, None) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Folders;
    use crate::local::Peer;

    /// The report about user 61001 with this configuration behind a minimal one.
    fn explained(rest: &str) -> String {
        let minimal = "[aws]\nmqtt-endpoint = \"a-ats.iot.eu-west-1.amazonaws.com\"\n\
            credentials-endpoint = \"c.credentials.iot.eu-west-1.amazonaws.com\"\n\
            [token]\nmodule = \"/m.so\"\nkey = \"pkcs11:object=k\"\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        std::fs::write(&path, format!("{minimal}{rest}")).unwrap();
        let folders = Folders {
            runtime: "/run/g".into(),
            ..Folders::from_environment()
        };
        let config = crate::config::load(&path, &folders).unwrap();
        let access = AccessRules::new(&config.access);
        let caller = Caller::Peer(Peer::new(61_001, 61_001, None));
        let mut report = Report::default();
        explain(&config, "camera (uid 61001)", &caller, &access, &mut report);
        report.text()
    }

    #[test]
    fn each_way_to_connect_is_named() {
        let socket = "[local-mqtt]\nsocket = true\n";
        let listen = "[local-mqtt]\nlisten = \"127.0.0.1:1883\"\n";
        let both = "[local-mqtt]\nsocket = true\nlisten = \"127.0.0.1:1883\"\n";
        let loopback = "[loopback]\nlisten = \"127.0.0.1:9922\"\n";
        let rule = "[[access]]\nuid = 61001\npublish = [\"a\"]\n";
        let file = "token-file = \"/etc/g/secret\"\n";
        let group = "[[access]]\ngid = 61001\nsubscribe = [\"a\"]\ntoken-file = \"/etc/g/group\"\n";
        let other = "[[access]]\nuid = 61002\npublish = [\"a\"]\ntoken-file = \"/etc/g/other\"\n";
        let unit = "[[access]]\nunit = \"camera.service\"\npublish = [\"a\"]\n";
        let refused = "are refused: no rule names it";
        let on_socket = "camera (uid 61001) connects at /run/g/mqtt.sock (Unix socket, no password)";
        let by_file = "127.0.0.1:1883, any user name, and as the password the content of /etc/g/secret (uid 61001)";
        for (what, parts, expected, unexpected) in [
            ("off", vec![rule], "no listener for programs", "connects"),
            ("off says how", vec![rule], "socket = true", "refused"),
            ("socket", vec![socket, rule], on_socket, "password the"),
            ("socket, no rule", vec![socket], refused, "connects"),
            (
                "socket, the rule of another",
                vec![socket, other],
                refused,
                "/etc/g/other",
            ),
            (
                "socket, a unit",
                vec![socket, unit],
                "only in the unit of a rule",
                "refused",
            ),
            ("listen", vec![listen, rule, file], by_file, "mqtt.sock"),
            (
                "listen without a secret",
                vec![listen, rule],
                "needs a token-file",
                "connects",
            ),
            (
                "listen, loopback",
                vec![listen, loopback, rule],
                "its token in /run/g/loopback",
                "refused",
            ),
            ("both", vec![both, rule, file], by_file, "refused"),
            ("both by socket", vec![both, rule], on_socket, "127.0.0.1:1883"),
            (
                "two rules",
                vec![both, rule, file, group],
                "the content of /etc/g/group (gid 61001)",
                "refused",
            ),
        ] {
            // Breaks are the report's.
            let text = explained(&parts.concat());
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(expected), "{what}: {text}");
            assert!(!text.contains(unexpected), "{what}: {text}");
        }
    }
}
