//! The command `gatepost` against the real daemon, as SDKs and operators call it.

mod exec;
mod profile;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::time::Duration;

use cloudlet::switches::Answer;
use rig::executable;
use rig::token::{SlowSigner, SoftHsm};
use rig::user;
use serde_json::Value;

use crate::support::{Gateway, PIN, THING, World, options};

/// Returns the command for this daemon.
pub fn client(gateway: &Gateway, arguments: &[&str]) -> Command {
    let mut client = Command::new(gateway.client());
    client.env("GATEPOST_SOCKET", gateway.socket()).args(arguments);
    client
}

/// Runs it; returns its exit code, stdout and stderr.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

pub fn contains_all(text: &str, words: &[&str]) {
    // The screen is wrapped at 80 characters, so line breaks may be between any two words.
    let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(flowing.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[test]
fn the_command_in_every_phase_of_a_gateways_life() {
    let mut world = World::new();
    for (arguments, expected) in [(&["credentials"][..], 69), (&["status"], 68), (&["csr"], 69)] {
        let (code, out, reason) = run(&mut client(&world.gateway, arguments));
        assert_eq!((code, out.as_str()), (expected, ""), "no daemon: {reason}");
        contains_all(&reason, &["the daemon is not running", "systemctl status gatepost"]);
    }

    world.gateway.start();
    let file = world.gateway.wait_for_csr();
    let (code, csr, _) = run(&mut client(&world.gateway, &["csr"]));
    assert_eq!((code, csr), (0, fs::read_to_string(file).unwrap()));
    let (code, screen, _) = run(&mut client(&world.gateway, &["status"]));
    assert_ne!(code, 0, "{screen}");
    contains_all(&screen, &["no certificate", "device.csr", "next:"]);
    let (code, out, reason) = run(&mut client(&world.gateway, &["credentials"]));
    assert_eq!((code, out.as_str()), (69, ""), "nothing yet: {reason}");
    contains_all(&reason, &["certificate", "try again in 5 s"]);

    world.certify();
    world.gateway.wait_online();
    let (code, line, reason) = run(&mut client(&world.gateway, &["credentials"]));
    assert_eq!((code, reason.as_str()), (0, ""));
    assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
    let set: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(set, world.gateway.credentials().json().unwrap());
    let (code, named, _) = run(&mut client(&world.gateway, &["credentials", "telemetry"]));
    assert_eq!((code, named), (0, line));
    let (code, out, reason) = run(&mut client(&world.gateway, &["credentials", "video"]));
    assert_eq!((code, out.as_str()), (66, ""));
    contains_all(&reason, &["no role alias named \"video\" is configured"]);
    let (code, screen, _) = run(&mut client(&world.gateway, &["status"]));
    assert_eq!(code, 0, "{screen}");
    contains_all(
        &screen,
        &["gatepost is ready", THING, "telemetry (default): valid", "expires in"],
    );
    let (code, json, _) = run(&mut client(&world.gateway, &["status", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["state"]), (0, &Value::from("ready")));
    world.gateway.stop();

    world.cloud.switches().set(|switches| {
        switches.credentials.answer = Answer::Status(403, r#"{"message":"Access Denied"}"#.into());
    });
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for_text("state", "attention");
    let (code, screen, _) = run(&mut client(&world.gateway, &["status"]));
    assert_eq!(code, 78, "{screen}");
    contains_all(
        &screen,
        &["needs attention", "Access Denied", "iot:AssumeRoleWithCertificate"],
    );
    let (code, _, reason) = run(&mut client(&world.gateway, &["credentials"]));
    assert_eq!(code, 69);
    contains_all(&reason, &["Access Denied", "iot:AssumeRoleWithCertificate"]);
}

/// The first commands after `systemctl enable --now gatepost`.
#[test]
fn csr_waits_until_the_signing_request_exists() {
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let token = SlowSigner::new(token, Duration::from_secs(3600)).unwrap();
    let mut world = World::with(Box::new(token), options());
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "ready");
    let early = world.gateway.get("/v1/csr");
    assert_eq!(early.status, 503);
    assert_eq!(early.json().unwrap()["code"], "coming");
    world.gateway.kill();

    let mut delay = world.gateway.env.iter_mut();
    let delay = delay.find(|(name, _)| name == "SLOW_SIGNER_MILLIS");
    delay.unwrap().1 = "2000".to_owned();
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "ready");
    let (code, csr, reason) = run(&mut client(&world.gateway, &["csr"]));
    assert_eq!(code, 0, "{reason}");
    assert_eq!(csr, fs::read_to_string(world.gateway.state("device.csr")).unwrap());
    world.gateway.stop();

    // The command does not wait for a state that needs a person.
    fs::remove_file(world.gateway.state("device.csr")).unwrap();
    world.gateway.configure("object=device", "object=device;serial=none");
    world.gateway.start();
    world
        .gateway
        .wait_for_words("token.problem.message", "none of the tokens");
    let (code, csr, reason) = run(&mut client(&world.gateway, &["csr"]));
    assert_eq!((code, csr.as_str()), (69, ""));
    contains_all(&reason, &["none of the tokens", "try again in 5 s"]);
}

#[test]
fn promise_7_a_refused_user_gets_the_reason() {
    if !user::is_root() {
        eprintln!("NOT TESTED: the command for a refused user, because only root may act as one");
        return;
    }
    let mut world = World::new();
    world.gateway.start();
    world.gateway.wait_for_csr();
    fs::set_permissions(world.gateway.folder.path(), Permissions::from_mode(0o755)).unwrap();
    // Other users may not enter the folder where the daemon was built.
    let copy = world.gateway.folder.path().join("gatepost");
    executable::copy(&world.gateway.client(), &copy).unwrap();
    let stranger = |arguments: &[&str]| {
        let mut client = Command::new(&copy);
        client.env("GATEPOST_SOCKET", world.gateway.socket()).args(arguments);
        run(client.current_dir("/").uid(61009).gid(61009))
    };
    let (code, out, reason) = stranger(&["credentials"]);
    assert_eq!((code, out.as_str()), (77, ""));
    contains_all(
        &reason,
        &[
            "no [[access]] rule grants uid 61009 (gid 61009)",
            "systemctl reload gatepost",
        ],
    );
    let (code, screen, _) = stranger(&["status"]);
    assert_eq!(code, 69, "the status is for everybody: {screen}");
    contains_all(&screen, &["no certificate"]);
}
