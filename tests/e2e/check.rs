//! `gatepost check`: what is wrong, and the next step, with the daemon and without it.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use cloudlet::switches::TlsVersions;
use cloudlet::{CertificateStatus, Cloudlet, RoleAlias};
use rig::executable;
use rig::fleet_ca::Validity;
use rig::token::SoftHsm;
use serde_json::Value;

use crate::command::{client, contains_all, run};
use crate::faketime::WallClock;
use crate::registry::bring_online_known;
use crate::support::{Gateway, PIN, World, options};

/// `gatepost check` for this gateway, in this cloud.
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

/// The exit code and the document.
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

/// The names of the lines that ended so.
fn ended<'a>(document: &'a Value, outcome: &str) -> Vec<&'a str> {
    let lines = document["checks"].as_array().unwrap().iter();
    let ended = lines.filter(|line| line["outcome"] == outcome);
    ended.map(|line| line["name"].as_str().unwrap()).collect()
}

/// A world whose gateway was online once; the daemon does not run now.
fn provisioned() -> World {
    let mut world = World::new();
    bring_online_known(&mut world);
    world.gateway.stop();
    world
}

#[test]
fn all_is_well_with_the_daemon_and_without_it() {
    let mut world = World::new();
    bring_online_known(&mut world);
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
    // A daemon with folders of its own is found by its socket, as by every other command.
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
    // Nothing was changed by looking: the session goes on where it was.
    world.gateway.start();
    world.gateway.wait_online();
    assert_eq!(world.gateway.status()["session"]["session_present"], true);
}

#[test]
fn without_the_daemon_its_unit_is_asked_for_the_variables_of_the_module() {
    let world = provisioned();
    // What systemd would say; the machine of this test has no such unit.
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

    // What the caller has set counts.
    let mut own = check(&world.gateway, &world.cloud, &["--json"]);
    let (code, out, _) = run(own.env("SOFTHSM2_CONF", "/nowhere.conf").env("PATH", &path));
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 78, "{document:#}");
    contains_all(
        &line(&document, "PKCS#11 module").to_string(),
        &["SOFTHSM2_CONF names /nowhere.conf, which is not there"],
    );
}

/// What is changed in the configuration, the line that fails because of it, with which words and next step, the exit code,
/// and a line that is not looked at because of it.
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
    // A wrong PIN was tried once; the right one still opens the token.
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
fn the_servers_prove_who_they_are_before_there_is_a_certificate() {
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
        // As behind a proxy that opens TLS: somebody else's CA has signed what the servers show.
        world.gateway.configure(&root, &format!("root-ca = \"{other_ca}\""));
        let (code, document) = document(&world);
        for name in ["MQTT endpoint: TLS", "credentials endpoint: TLS"] {
            let line = line(&document, name);
            assert_eq!((code, &line["outcome"]), (78, &Value::from("fail")), "{document:#}");
            contains_all(&line.to_string(), &["UnknownIssuer", "a proxy that opens TLS"]);
        }
        world.gateway.config.clone_from(&good);
    }
}

#[test]
fn whoever_has_the_loopback_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut world = World::new();
    world
        .gateway
        .config
        .push_str(&format!("[loopback]\nlisten = \"{address}\"\n"));
    let (code, found) = document(&world);
    assert_eq!(code, 78, "{found:#}");
    contains_all(
        line(&found, "loopback")["message"].as_str().unwrap(),
        &[
            &format!("at {address} listens "),
            &format!("uid {}", rustix::process::geteuid().as_raw()),
            &format!("(pid {})", std::process::id()),
        ],
    );
    drop(taken);
    let (_, found) = document(&world);
    assert_eq!(line(&found, "loopback")["outcome"], "ok", "{found:#}");
}

#[test]
fn what_is_wrong_with_certificate_and_account_is_said() {
    let mut world = World::new();
    let id = bring_online_known(&mut world);
    world.gateway.stop();
    let good = fs::read_to_string(world.gateway.state("device.pem")).unwrap();
    let csr = world.gateway.state("device.csr");
    let failing = |world: &World, name: &str, code: i32, words: &[&str]| {
        let (found, document) = document(world);
        let line = line(&document, name);
        assert_eq!(
            (found, &line["outcome"]),
            (code, &Value::from("fail")),
            "{words:?}: {document:#}"
        );
        contains_all(&line.to_string(), words);
    };
    let expired = world.ca.sign_v3_valid(&csr, Validity::Expired).unwrap();
    let foreign = world.ca.for_another_key("/CN=gw-1").unwrap();
    for (pem, words) in [
        (expired, "expired on"),
        (foreign, "is for another key"),
        ("".into(), "device.pem is empty"),
    ] {
        world.gateway.install(&pem);
        failing(&world, "certificate", 78, &[words, "next_step"]);
    }
    let day = Duration::from_secs(24 * 3600);
    let now = SystemTime::now();
    let soon = Validity::Between(now - 200 * day, now + 10 * day);
    world.gateway.install(&world.ca.sign_v3_valid(&csr, soon).unwrap());
    failing(&world, "expiry", 78, &["days", "gatepost csr"]);
    fs::remove_file(world.gateway.state("device.pem")).unwrap();
    failing(&world, "certificate", 68, &["there is none at", "gatepost csr"]);
    world.gateway.install(&good);

    let status = |world: &World, status| world.cloud.set_certificate_status(&id, status).unwrap();
    status(&world, CertificateStatus::Inactive);
    failing(
        &world,
        "MQTT endpoint: CONNECT",
        68,
        &["dropped the connection before CONNACK", "is the certificate ACTIVE"],
    );
    status(&world, CertificateStatus::Active);
    // A role that nobody has made.
    let role = "arn:aws:iam::123456789012:role/missing";
    world.cloud.add_role_alias(RoleAlias::new("video", role)).unwrap();
    world.gateway.config.push_str("[[role-alias]]\nname = \"video\"\n");
    failing(&world, "role alias video", 78, &["AWS answered", "next_step"]);
    world.gateway.start();
    world.gateway.wait_for_text("role_aliases.1.phase", "failing");
    failing(&world, "role alias video", 78, &["AWS answered", "role-alias-failing"]);
}

#[test]
fn a_new_gateway_is_told_what_comes_next() {
    let mut world = World::new();
    let (code, document) = document(&world);
    assert_eq!(code, 68, "{document:#}");
    assert_eq!(
        (ended(&document, "fail"), ended(&document, "warn")),
        (vec!["daemon"], vec!["key"])
    );
    contains_all(
        &line(&document, "key").to_string(),
        &["the daemon makes one (ec-p256) when it starts"],
    );
    assert!(!world.gateway.state("device.csr").exists(), "nothing was made");

    let pin = world
        .gateway
        .config
        .lines()
        .find(|line| line.starts_with("pin-file"))
        .unwrap()
        .to_owned();
    world.gateway.configure(&pin, "# no PIN");
    let (code, document) = self::document(&world);
    assert_eq!(code, 68, "{document:#}");
    contains_all(
        &line(&document, "PIN").to_string(),
        &["systemd hands the PIN to the service alone"],
    );
    world.gateway.configure("# no PIN", &pin);

    world.gateway.start();
    world.gateway.wait_for_csr();
    let (code, document) = self::document(&world);
    assert_eq!(code, 69);
    contains_all(
        &line(&document, "certificate").to_string(),
        &["waiting for a certificate", "gatepost csr"],
    );
    world.gateway.stop();
    let csr = world.gateway.state("device.csr");
    world.gateway.install(&world.ca.sign_v1(&csr).unwrap());
    let (code, document) = self::document(&world);
    assert_eq!(code, 68, "{document:#}");
    contains_all(
        &line(&document, "MQTT endpoint: CONNECT").to_string(),
        &["first contact of just-in-time provisioning"],
    );
}

#[test]
fn a_clock_that_is_not_set_is_seen() {
    let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options());
    let _clock = WallClock::at_1970(&mut world.gateway);
    let (code, document) = document(&world);
    assert_eq!(code, 68, "{document:#}");
    contains_all(&line(&document, "clock").to_string(), &["1970-01-01", "timedatectl"]);
    assert!(ended(&document, "skip").contains(&"MQTT endpoint: TLS"), "{document:#}");
}

#[test]
fn messages_that_wait_for_somebody_are_a_warning_with_and_without_the_daemon() {
    let mut world = World::new();
    world.gateway.configure(
        "role-aliases = [\"*\"]",
        "role-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\"]",
    );
    bring_online_known(&mut world);
    let (code, _, reason) = run(&mut client(&world.gateway, &["publish", "others/data", "x", "--wait"]));
    assert_eq!(code, 65, "{reason}");
    for running in [true, false] {
        let (code, document) = document(&world);
        let line = line(&document, "messages");
        let expected = if running { 0 } else { 68 };
        assert_eq!(
            (code, &line["outcome"]),
            (expected, &Value::from("warn")),
            "{document:#}"
        );
        assert_eq!(line["next_step"], "gatepost outbox list --parked");
        contains_all(
            line["message"].as_str().unwrap(),
            &["queued: 0, parked: 1", "AWS did not take"],
        );
        if running {
            world.gateway.stop();
        }
    }
    fs::write(world.gateway.state("messages.db"), "x".repeat(8192)).unwrap();
    let (code, document) = document(&world);
    assert_eq!(
        (code, &line(&document, "messages")["outcome"]),
        (68, &Value::from("fail"))
    );
    contains_all(
        &line(&document, "messages").to_string(),
        &["messages.db is broken", "sets the file aside"],
    );
    world.gateway.start();
    world.gateway.wait_online();
    let (_, document) = self::document(&world);
    contains_all(
        &line(&document, "messages").to_string(),
        &["warn", "the message database was broken", ".broken-"],
    );
}

#[test]
fn what_a_user_may_have_is_explained() {
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
            "nobody (uid 65534) may not have it: no rule gives it",
            "may have it by access[1] of",
            &["{thing}/n, by access[3] of", "all/#, by access[3] of"][..],
            "{thing}/+, by access[3] of",
        ),
        (
            "65534",
            "nobody (uid 65534) may not have it",
            "(user nobody)",
            &["{thing}/n, by access[3] of"],
            "(user nobody)",
        ),
        (
            "daemon",
            "only in camera.service, by access[2] of",
            "may not have it",
            &["{thing}/camera/#, only in camera.service, by access[2] of"],
            "may subscribe to nothing: no rule gives it a topic",
        ),
        (
            "61001",
            "a user without a name (uid 61001) may not have it",
            "may not have it",
            &["a user without a name (uid 61001) may publish to nothing"],
            "may subscribe to nothing",
        ),
    ] {
        let (code, text, reason) = explain(user);
        assert_eq!((code, reason.as_str()), (0, ""), "{user}");
        // What is found in this user's home is the machine's.
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
        let last = found.last().unwrap();
        assert!(last.contains("subscribe") && last.contains(subscribe), "{user}: {text}");
    }
    let (code, out, reason) = explain("no-such-user");
    assert_eq!((code, out.as_str()), (67, ""));
    contains_all(&reason, &["there is no user \"no-such-user\"", "getent passwd"]);
}
