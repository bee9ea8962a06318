//! Findings other than faults of the configuration: certificate, account, clock, port, messages.

use std::fs;
use std::time::{Duration, SystemTime};

use cloudlet::{CertificateStatus, RoleAlias};
use rig::fleet_ca::Validity;
use rig::token::SoftHsm;
use serde_json::Value;

use crate::command::{client, contains_all, run};
use crate::faketime::WallClock;
use crate::registry::bring_online_registered;
use crate::support::{PIN, World, options};

use super::{document, ended, line};

#[test]
fn the_process_at_the_loopback_port_is_reported() {
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
            &format!("listens at {address}"),
            &format!("uid {}", rustix::process::geteuid().as_raw()),
            &format!("(pid {})", std::process::id()),
        ],
    );
    drop(taken);
    let (_, found) = document(&world);
    assert_eq!(line(&found, "loopback")["outcome"], "ok", "{found:#}");
}

#[test]
fn faults_of_certificate_and_account_are_reported() {
    let mut world = World::new();
    let id = bring_online_registered(&mut world);
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
    // A role that does not exist.
    let role = "arn:aws:iam::123456789012:role/missing";
    world.cloud.add_role_alias(RoleAlias::new("video", role)).unwrap();
    world.gateway.config.push_str("[[role-alias]]\nname = \"video\"\n");
    failing(&world, "role alias video", 78, &["AWS answered", "next_step"]);
    world.gateway.start();
    world.gateway.wait_for_text("role_aliases.1.phase", "failing");
    failing(&world, "role alias video", 78, &["AWS answered", "role-alias-failing"]);
}

#[test]
fn a_new_gateway_gets_the_first_steps() {
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
        &["systemd passes the PIN only to the service"],
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
fn waiting_messages_are_a_warning_with_and_without_the_daemon() {
    let mut world = World::new();
    world.gateway.configure(
        "role-aliases = [\"*\"]",
        "role-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\"]",
    );
    bring_online_registered(&mut world);
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
            &["queued: 0, parked: 1", "AWS rejected"],
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
        &["messages.db is corrupt", "moves the file aside"],
    );
    world.gateway.start();
    world.gateway.wait_online();
    let (_, document) = self::document(&world);
    contains_all(
        &line(&document, "messages").to_string(),
        &["warn", "the message database was corrupt", ".broken-"],
    );
}
