//! Promise 10: no secret is ever in a log, an error, a core dump, a world-readable file, or Debug output.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use cloudlet::RoleAlias;
use cloudlet::switches::Answer;
use rig::process::Signal;
use rig::wait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use crate::operator::retry::refresh;
use crate::support::{PIN, SOON, World};

const ROLE: &str = "arn:aws:iam::123456789012:role/telemetry";
const WRONG_PIN: &str = "wrong-horse-battery";
/// Occurs in responses that are not valid credentials but contain secrets.
const STRAY: &str = "stray/secret/out/of/a/wrong/answer/00000";

/// Returns failing responses that contain secrets, each for its own role alias.
fn stray_answers() -> Vec<(&'static str, Answer)> {
    let body = |token: &str| {
        format!(r#"{{"credentials":{{"accessKeyId":"ASIA0","secretAccessKey":"{STRAY}","sessionToken":{token}}}}}"#)
    };
    vec![
        ("wrong-type", Answer::Body(body(&format!("[\"{STRAY}\"]")))),
        ("wrong-shape", Answer::Body(format!("[\"{STRAY}\"]"))),
        ("half", Answer::Body(body("\"").replace("}}", ""))),
        ("with-an-error", Answer::Status(500, body("\"x\""))),
        ("refused", Answer::Status(403, body("\"x\""))),
        ("cut", Answer::Cut),
    ]
}

/// Returns the forms in which a secret could occur in a text: unchanged, a part of it, and its bytes as `Debug` or hexadecimal prints them.
fn forms(secret: &str) -> [String; 4] {
    let bytes = secret.as_bytes();
    let debug = format!("{bytes:?}");
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = secret.chars().take(20).collect();
    let end = secret.chars().skip(secret.len().saturating_sub(20)).collect();
    [part, end, debug.trim_matches(['[', ']']).to_owned(), hex]
}

/// Returns the contents of every file below `folder`.
fn contents(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            text.push_str(&contents(&entry.path()));
        } else if kind.is_file() {
            text.push_str(&String::from_utf8_lossy(&fs::read(entry.path()).unwrap()));
        }
    }
    text
}

#[test]
fn promise_10_no_secret_is_in_any_output() {
    let mut world = World::new();
    world.gateway.env.push(("GATEPOST_LOG".into(), "trace".into()));
    for (alias, answer) in stray_answers() {
        world.cloud.add_role_alias(RoleAlias::new(alias, ROLE)).unwrap();
        let table = format!("[[role-alias]]\nname = \"{alias}\"\n");
        world.gateway.config.push_str(&table);
        world.cloud.switches().set(|switches| {
            switches.credentials.answer_of.insert(alias.into(), answer);
        });
    }

    // A login that fails, then first boot, a refresh, and a restart that finds everything in place.
    let wrong = world.token.pin_file().with_file_name("wrong-pin");
    fs::write(&wrong, WRONG_PIN).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let (right, wrong) = (
        world.token.pin_file().display().to_string(),
        wrong.display().to_string(),
    );
    world.gateway.configure(&right, &wrong);
    let (status, log) = world.gateway.run_to_the_end();
    assert_eq!(status.code(), Some(77), "{log}");
    world.gateway.configure(&wrong, &right);
    world.gateway.start();
    world.certify();
    world
        .gateway
        .wait_for("provisioning.phase", |phase| phase == "provisioned");
    world.gateway.wait_for("role_aliases", |aliases| {
        let phase = |alias: &Value| alias["name"] == "telemetry" && alias["phase"] == "valid";
        aliases.as_array().is_some_and(|aliases| aliases.iter().any(phase))
    });
    refresh(&world.gateway, "telemetry");
    assert!(world.cloud.credential_requests("telemetry") >= 2);
    let failed = |alias: &Value| alias["problem"].is_object() || alias["name"] == "telemetry";
    world.gateway.wait_for("role_aliases", |aliases| {
        aliases.as_array().is_some_and(|aliases| aliases.iter().all(failed))
    });
    let mut outputs = vec![
        world.gateway.status().to_string(),
        String::from_utf8(world.gateway.get("/v1/csr").body).unwrap(),
    ];
    for (alias, _) in stray_answers() {
        let answer = world.gateway.get(&format!("/v1/credentials/{alias}"));
        assert_eq!(answer.status, 503);
        outputs.push(String::from_utf8(answer.body).unwrap());
    }
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_for("session.phase", |phase| phase == "connected");
    world.gateway.stop();

    let log = world.gateway.log();
    assert!(
        log.contains("gatepostd: trace: "),
        "the log is as talkative as it can be"
    );
    outputs.push(log);
    outputs.push(contents(world.gateway.folder.path()));
    let minted = world.cloud.minted();
    assert!(minted.len() >= 3, "credentials were issued: {}", minted.len());
    let minted = minted
        .into_iter()
        .flat_map(|set| [set.secret_access_key, set.session_token]);
    let secrets = minted.chain([PIN, WRONG_PIN, STRAY].map(str::to_owned));
    for secret in secrets {
        for form in forms(&secret) {
            for output in &outputs {
                let found = output.lines().find(|line| line.contains(&form));
                assert!(found.is_none(), "{form} is in: {}", found.unwrap_or_default());
            }
        }
    }
}

#[test]
fn promise_10_files_are_the_daemons_own() {
    let mut world = World::new();
    world.bring_online();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        mode(&world.gateway.state("")),
        0o700,
        "nobody else looks into the state folder"
    );
    for entry in fs::read_dir(world.gateway.state("")).unwrap().map(Result::unwrap) {
        let mode = mode(&entry.path());
        assert_eq!(mode & 0o022, 0, "{} is {mode:o}", entry.path().display());
    }
}

/// Returns whether core dumps are enabled at present, as on a machine where somebody has done that.
fn core_dumps_are_on() -> bool {
    let limit = getrlimit(Resource::Core);
    if limit.maximum == Some(0) {
        eprintln!("NOT TESTED: that a crash leaves no core dump, because the system allows none (ulimit -Hc)");
        return false;
    }
    let on = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Core, on).unwrap();
    true
}

/// Returns the limits of this process for core dumps, soft and hard.
fn core_limits(pid: u32) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let mut lines = limits.lines();
    let core = lines.find(|line| line.starts_with("Max core file size")).unwrap();
    core.split_whitespace().skip(4).map(str::to_owned).collect()
}

#[test]
fn promise_10_a_crash_leaves_no_core_dump() {
    if !core_dumps_are_on() {
        return;
    }
    let mut world = World::new();
    world.gateway.start();
    world.gateway.wait_for_csr();
    assert_eq!(core_limits(world.gateway.process().pid()), ["0", "0", "bytes"]);
    world.gateway.process().signal(Signal::ABORT).unwrap();
    let status = world.gateway.process().wait(SOON).unwrap();
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
}

/// A check logs in with the PIN and gets credentials, like the daemon. A configuration file that never ends lets each command be examined
/// while it runs.
#[test]
fn promise_10_no_command_leaves_a_core_dump_either() {
    if !core_dumps_are_on() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gatepost.toml");
    let made = std::process::Command::new("mkfifo").arg(&config).status().unwrap();
    assert!(made.success());
    for command in ["--check", "--check-config", "--print-policy"] {
        let gatepostd = std::process::Command::new(env!("CARGO_BIN_EXE_gatepostd"))
            .args(["--config", &config.display().to_string(), command])
            .spawn();
        let mut gatepostd = gatepostd.unwrap();
        let pid = gatepostd.id();
        let forbidden = wait::until(SOON, command, || core_limits(pid) == ["0", "0", "bytes"]);
        gatepostd.kill().unwrap();
        gatepostd.wait().unwrap();
        forbidden.unwrap();
    }
}
