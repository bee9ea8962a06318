//! Daemons that are not running, and one that runs beside a wrong file.

use std::fs;

use serde_json::Value;

use crate::check::check;
use crate::command::{client, contains_all, run};
use crate::registry::bring_online_registered;
use crate::support::World;

/// Checks the output of `gatepost status` and `gatepost check`: the same exit code and problem, and these words in the summary.
fn both_say(world: &World, exit_code: i32, problem: &str, words: &[&str]) -> Value {
    let (code, screen, reason) = run(&mut client(&world.gateway, &["status"]));
    assert_eq!(code, exit_code, "{screen}{reason}");
    contains_all(&screen, words);
    let (code, json, _) = run(&mut client(&world.gateway, &["status", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &json["exit_code"]),
        (exit_code, &Value::from(exit_code)),
        "{json:#}"
    );
    assert_eq!(json["problems"][0]["id"], problem, "{json:#}");
    let (code, out, reason) = run(&mut check(&world.gateway, &world.cloud, &["--json"]));
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {reason}"));
    assert_eq!(
        (code, &document["exit_code"]),
        (exit_code, &Value::from(exit_code)),
        "{document:#}"
    );
    let lines = document["checks"].as_array().unwrap();
    let daemon = lines.iter().find(|line| line["id"] == "daemon").unwrap();
    contains_all(&daemon.to_string(), words);
    assert_eq!(daemon["problem"], problem, "{daemon:#}");
    assert_eq!(daemon["next_step"], json["problems"][0]["next_step"], "{daemon:#}");
    // A stop has no reason to report.
    let log = world.gateway.log();
    let is_told = |words: &&str| log.contains(*words);
    assert!(exit_code == 68 || words.iter().any(is_told), "{log}");
    document
}

#[test]
fn promise_16_the_reason_of_a_stopped_daemon_is_shown_without_starting_it() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world.gateway.stop();
    both_say(
        &world,
        68,
        "daemon-stopped",
        &[
            "gatepostd is not running: it was stopped at",
            "systemctl start gatepost",
        ],
    );

    let good = world.gateway.config.clone();
    // Without a last good configuration a wrong one ends the daemon.
    let _ = fs::remove_file(world.gateway.state("last-good.json"));
    world.gateway.config.push_str("colour = \"red\"\n");
    let (status, _) = world.gateway.run_to_the_end();
    assert_eq!(status.code(), Some(78));
    both_say(
        &world,
        78,
        "daemon-failed",
        &["gatepostd is not running:", "unknown field"],
    );
    world.gateway.config.clone_from(&good);

    let right = world
        .gateway
        .config
        .lines()
        .find(|line| line.starts_with("pin-file"))
        .unwrap()
        .to_owned();
    let wrong = world.gateway.folder.path().join("wrong-pin");
    fs::write(&wrong, "999999").unwrap();
    world
        .gateway
        .configure(&right, &format!("pin-file = \"{}\"", wrong.display()));
    let (status, _) = world.gateway.run_to_the_end();
    assert_eq!(status.code(), Some(77));
    // Neither tries the PIN again; a thousand calls do not use up an attempt.
    let document = both_say(
        &world,
        77,
        "token-pin",
        &["rejected the PIN", "systemctl restart gatepost.socket"],
    );
    let pin = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["id"] == "pin")
        .unwrap();
    assert_eq!(pin["outcome"], "skip", "{document:#}");

    world.gateway.config = good;
    world.gateway.start();
    world.gateway.wait_online();
    assert!(!world.gateway.folder.path().join("run/end.json").exists());
    assert_eq!(run(&mut client(&world.gateway, &["status"])).0, 0);
    // A killed daemon leaves no document behind, and nobody listens.
    world.gateway.kill();
    assert_eq!(run(&mut client(&world.gateway, &["status"])).0, 68);
    assert_eq!(run(&mut check(&world.gateway, &world.cloud, &[])).0, 68);
}

#[test]
fn promise_16_check_asks_a_healthy_daemon_although_a_file_is_wrong() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let good = world.gateway.config.clone();
    world.gateway.config.push_str("colour = \"red\"\n");
    let (code, out, _) = run(&mut check(&world.gateway, &world.cloud, &["--json"]));
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 78, "{document:#}");
    let outcome = |id: &str| {
        let lines = document["checks"].as_array().unwrap();
        let line = lines.iter().find(|line| line["id"] == id);
        line.map(|line| line["outcome"].clone()).unwrap_or_default()
    };
    for (id, expected) in [
        ("configuration", "fail"),
        ("daemon", "ok"),
        ("state", "ok"),
        ("session", "ok"),
        ("certificate", "ok"),
        ("role-alias", "ok"),
        ("aws-call", "skip"),
    ] {
        assert_eq!(outcome(id), expected, "{id}: {document:#}");
    }
    world.gateway.config = good;
    world.gateway.write_config();
}
