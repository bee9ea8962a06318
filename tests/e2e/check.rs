//! `gatepost check`: faults and next steps, with and without the daemon.

mod faults;
mod findings;

use std::fs;
use std::process::Command;

use cloudlet::Cloudlet;
use rig::executable;
use serde_json::Value;

use crate::command::{contains_all, run};
use crate::registry::bring_online_registered;
use crate::support::{Gateway, World};

/// Runs `gatepost check` for this gateway, with this cloud.
pub fn check(gateway: &Gateway, cloud: &Cloudlet, arguments: &[&str]) -> Command {
    let mut check = Command::new(gateway.client());
    check
        .env_remove("JOURNAL_STREAM")
        .envs(gateway.env.iter().map(|(name, value)| (name, value)))
        .env("AWS_ENDPOINT_URL", cloud.api_endpoint())
        .env("AWS_REGION", "us-east-1")
        .args(["check", "--config"])
        .arg(gateway.write_config())
        .args(arguments);
    check
}

/// Returns the exit code and the document.
fn document(world: &World) -> (i32, Value) {
    let (code, out, reason) = run(&mut check(&world.gateway, &world.cloud, &["--json"]));
    let document = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{reason}"));
    (code, document)
}

fn line<'a>(document: &'a Value, name: &str) -> &'a Value {
    let lines = document["checks"].as_array().unwrap();
    lines
        .iter()
        .find(|line| line["name"] == name)
        .unwrap_or_else(|| panic!("no line {name} in {document:#}"))
}

/// Returns the names of the lines with this outcome.
fn ended<'a>(document: &'a Value, outcome: &str) -> Vec<&'a str> {
    let lines = document["checks"].as_array().unwrap().iter();
    let ended = lines.filter(|line| line["outcome"] == outcome);
    ended.map(|line| line["name"].as_str().unwrap()).collect()
}

/// Creates a world whose gateway has been online once; its daemon is not running now.
fn provisioned() -> World {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world.gateway.stop();
    world
}

#[test]
fn check_succeeds_with_and_without_the_daemon() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let connects = world.gateway.status()["session"]["connects"].clone();
    let (code, with) = document(&world);
    assert_eq!((code, &with["state"]), (0, &Value::from("ok")), "{with:#}");
    let names = [
        "configuration",
        "daemon",
        "state",
        "clock",
        "clock skew",
        "token and key",
        "certificate",
        "expiry",
        "MQTT session",
        "messages",
        "role alias telemetry",
        "AWS call",
    ];
    assert_eq!(ended(&with, "ok"), names);
    contains_all(
        line(&with, "AWS call")["message"].as_str().unwrap(),
        &["assumed-role/telemetry/"],
    );
    assert_eq!(
        world.gateway.status()["session"]["connects"],
        connects,
        "the session was left alone"
    );
    let (code, text, _) = run(&mut check(&world.gateway, &world.cloud, &[]));
    assert_eq!(code, 0);
    assert!(text.starts_with("ok    configuration"), "{text}");
    // Like every other command, it finds a daemon with its own folders by the socket.
    let socket = world.gateway.socket();
    let mut elsewhere = check(&world.gateway, &world.cloud, &[]);
    let (code, text, _) = run(elsewhere
        .env_remove("RUNTIME_DIRECTORY")
        .env("GATEPOST_SOCKET", &socket));
    assert_eq!(code, 0, "{text}");
    let mut elsewhere = Command::new(world.gateway.client());
    elsewhere.args([
        "--socket".as_ref(),
        socket.as_os_str(),
        "check".as_ref(),
        "--config".as_ref(),
    ]);
    elsewhere.arg(world.gateway.write_config());
    let (_, text, _) = run(&mut elsewhere);
    assert!(text.contains("\nok    daemon "), "{text}");
    world.gateway.stop();

    let (code, without) = document(&world);
    assert_eq!((code, &without["state"]), (68, &Value::from("fail")), "{without:#}");
    assert_eq!(without["exit_code"], 68);
    assert_eq!(ended(&without, "fail"), ["daemon"]);
    assert_eq!(line(&without, "daemon")["next_step"], "systemctl start gatepost");
    let names = [
        "configuration",
        "clock",
        "PKCS#11 module",
        "token",
        "PIN",
        "key",
        "certificate",
        "expiry",
        "messages",
        "MQTT endpoint: DNS",
        "MQTT endpoint: TCP",
        "MQTT endpoint: TLS",
        "MQTT endpoint: CONNECT",
        "credentials endpoint: DNS",
        "credentials endpoint: TCP",
        "credentials endpoint: TLS",
        "role alias telemetry",
        "clock skew",
        "AWS call",
    ];
    assert_eq!(ended(&without, "ok"), names);
    // The check has changed nothing: the session continues.
    world.gateway.start();
    world.gateway.wait_online();
    assert_eq!(world.gateway.status()["session"]["session_present"], true);
}

#[test]
fn without_the_daemon_its_unit_is_asked_for_the_variables_of_the_module() {
    let world = provisioned();
    // This takes the place of systemd: the test machine has no such unit.
    let bin = world.gateway.folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let (_, store) = world
        .gateway
        .env
        .iter()
        .find(|(name, _)| name == "SOFTHSM2_CONF")
        .unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *Environment*gatepost.service) echo '\"MINE=a b\" SOFTHSM2_CONF={store} AWS_REGION=eu-west-1' ;; esac\n"
    );
    executable::write(&bin.join("systemctl"), &script).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());

    let mut asked = check(&world.gateway, &world.cloud, &["--json"]);
    let (code, out, reason) = run(asked.env_remove("SOFTHSM2_CONF").env("PATH", &path));
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {reason}"));
    assert_eq!(code, 68, "{document:#}");
    assert_eq!(
        line(&document, "environment")["message"],
        "from gatepost.service: MINE, SOFTHSM2_CONF"
    );
    assert_eq!(line(&document, "key")["outcome"], "ok");

    // Variables that the caller has set take precedence.
    let mut own = check(&world.gateway, &world.cloud, &["--json"]);
    let (code, out, _) = run(own.env("SOFTHSM2_CONF", "/nowhere.conf").env("PATH", &path));
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 78, "{document:#}");
    contains_all(
        &line(&document, "PKCS#11 module").to_string(),
        &["SOFTHSM2_CONF names /nowhere.conf, which is not there"],
    );
}

#[test]
fn check_as_user_explains_what_is_allowed() {
    let mut world = World::new();
    world.gateway.config.push_str(
        r#"
[[role-alias]]
name = "video"
[[access]]
user = "nobody"
role-aliases = ["video"]
[[access]]
group = "daemon"
unit = "camera.service"
role-aliases = ["telemetry"]
publish = ["{thing}/camera/#"]
[[access]]
user = "nobody"
publish = ["{thing}/n", "all/#"]
subscribe = ["{thing}/+"]
"#,
    );
    let explain = |user: &str| run(&mut check(&world.gateway, &world.cloud, &["--as", user]));
    for (user, telemetry, video, publish, subscribe) in [
        (
            "nobody",
            "nobody (uid 65534) is not allowed: no rule grants it",
            "is allowed by access[1] of",
            &["{thing}/n, by access[3] of", "all/#, by access[3] of"][..],
            "{thing}/+, by access[3] of",
        ),
        (
            "65534",
            "nobody (uid 65534) is not allowed",
            "(user nobody)",
            &["{thing}/n, by access[3] of"],
            "(user nobody)",
        ),
        (
            "daemon",
            "only in camera.service, by access[2] of",
            "is not allowed",
            &["{thing}/camera/#, only in camera.service, by access[2] of"],
            "may subscribe to no topic: no rule grants one",
        ),
        (
            "61001",
            "a user without a name (uid 61001) is not allowed",
            "is not allowed",
            &["a user without a name (uid 61001) may publish to no topic"],
            "may subscribe to no topic",
        ),
    ] {
        let (code, text, reason) = explain(user);
        assert_eq!((code, reason.as_str()), (0, ""), "{user}");
        // This user's home folder depends on the machine.
        let found: Vec<&str> = text.lines().take_while(|line| !line.contains("AWS files")).collect();
        assert!(
            found[0].contains("role alias telemetry") && found[0].contains(telemetry),
            "{user}: {text}"
        );
        assert!(
            found[1].contains("role alias video") && found[1].contains(video),
            "{user}: {text}"
        );
        assert!(found[2].contains("publish"), "{user}: {text}");
        contains_all(&found[2..].join("\n"), publish);
        let of_mqtt = found.iter().position(|line| line.contains("MQTT programs")).unwrap();
        assert!(
            text.contains("no listener for programs that speak MQTT"),
            "{user}: {text}"
        );
        let last = found[of_mqtt - 1];
        assert!(last.contains("subscribe") && last.contains(subscribe), "{user}: {text}");
    }
    let (code, out, reason) = explain("no-such-user");
    assert_eq!((code, out.as_str()), (67, ""));
    contains_all(&reason, &["there is no user \"no-such-user\"", "getent passwd"]);
}
