//! Tests of the command: its output and files, and a clean end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support: fails loudly"
)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{Fleet, text};
use rustix::process::{Pid, Signal, kill_process};

/// Starts the command and reads its output up to the last of the endpoints.
fn start(dir: &std::path::Path, fleet: &Fleet) -> (Child, BufReader<ChildStdout>) {
    start_with(dir, fleet, &[])
}

fn start_with(dir: &std::path::Path, fleet: &Fleet, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = common::run_command(dir)
        .args(["--jitp-delay", "0.05"])
        .args(arguments)
        .args(["--role-alias", "telemetry=7200", "--fleet-ca"])
        .arg(fleet.path().join("ca.pem"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Ctrl-C") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended early");
    }
    (child, out)
}

#[test]
fn it_keeps_its_folder_and_ends_cleanly() {
    let fleet = Fleet::new();
    let device = fleet.device_v1("gw-1");
    let dir = tempfile::tempdir().unwrap();
    let mut roots = Vec::new();
    for first in [true, false] {
        let (mut child, mut out) = start(dir.path(), &fleet);
        let connect = "mosquitto_pub -h localhost -p ${MQTT_ENDPOINT#*:} --cafile \"$ROOT_CA\" --cert \"$1\" --key \"$2\" \
                       -i gw-1 -V mqttv5 -q 1 -t gw-1/a -m hello";
        let output = Command::new("sh")
            .args(["-c", &format!(". \"$0\"; {connect}")])
            .arg(dir.path().join("cloudlet.env"))
            .arg(&device.certificate)
            .arg(&device.key)
            .output()
            .unwrap();
        assert_eq!(output.status.success(), !first, "{}", text(&output));
        let sts = "curl -s \"$AWS_ENDPOINT_URL/?Action=GetCallerIdentity&Version=2011-06-15\"";
        let output = Command::new("sh")
            .args(["-c", &format!(". \"$0\"; {sts}")])
            .arg(dir.path().join("cloudlet.env"))
            .output()
            .unwrap();
        assert!(
            text(&output).contains("MissingAuthenticationToken"),
            "{}",
            text(&output)
        );
        if first {
            let mut line = String::new();
            while !line.contains("ACTIVE, provisioning done") {
                line.clear();
                assert!(out.read_line(&mut line).unwrap() > 0, "not provisioned");
            }
        }
        roots.push(std::fs::read(dir.path().join("root-ca.pem")).unwrap());
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success(), "{rest}");
    }
    assert_eq!(roots[0], roots[1]);
}

/// Each line of the log is a JSON object, so programs need not parse messages.
#[test]
fn the_log_can_be_json() {
    let fleet = Fleet::new();
    let device = fleet.device_v1("gw-1");
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloudlet"))
        .args(["run", "--mqtt-port", "0", "--credentials-port", "0", "--api-port", "0"])
        .args(["--jitp-delay", "0", "--log", "json", "--fleet-ca"])
        .arg(fleet.path().join("ca.pem"))
        .arg("--dir")
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = |event: &str, field: &str| {
        loop {
            let line = lines.next().expect("an event").unwrap();
            let found: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(found["at"].is_string(), "{line}");
            if found["event"] == event {
                return found[field].clone();
            }
        }
    };
    assert_eq!(next("broker", "what"), "started");
    let environment = dir.path().join("cloudlet.env");
    while !environment.exists() {
        std::thread::yield_now();
    }
    let connect = "mosquitto_pub -h localhost -p ${MQTT_ENDPOINT#*:} --cafile \"$ROOT_CA\" --cert \"$1\" --key \"$2\" \
                   -i gw-1 -q 1 -t gw-1/a -m hello";
    Command::new("sh")
        .args(["-c", &format!(". \"$0\"; {connect}")])
        .arg(&environment)
        .arg(&device.certificate)
        .arg(&device.key)
        .output()
        .unwrap();
    assert_eq!(next("tls-accepted", "certificate"), device.id().to_string());
    assert_eq!(next("connect-received", "client_id"), "gw-1");
    assert_eq!(next("jitp", "step"), "registered");
    assert_eq!(next("jitp", "thing"), "gw-1");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn wrong_arguments_are_refused_and_name_the_mistake() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, said) in [
        (&[][..], "cloudlet run"),
        (&["run", "--policy", "none"], "seed-strict, seed-with-credentials"),
        (&["run", "--lifetime", "600"], "NAME=SECONDS"),
        (&["run", "--tls", "1.1"], "both, 1.2, 1.3"),
        (&["run", "--speed"], "no option --speed"),
        (&["run", "y"], "\"y\""),
        (&["run", "--dir", "/dev/null/x"], "/dev/null/x"),
        (
            &[
                "run",
                "--mqtt-port",
                "0",
                "--credentials-port",
                "0",
                "--api-port",
                &port,
            ],
            &port,
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_cloudlet"))
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(said), "{arguments:?}: {told}");
    }
    for (option, said) in [("--help", "usage:"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = Command::new(env!("CARGO_BIN_EXE_cloudlet"))
            .arg(option)
            .output()
            .unwrap();
        assert!(output.status.success() && text(&output).contains(said), "{option}");
    }
}

#[test]
fn it_is_in_the_region_that_is_asked_for() {
    let fleet = Fleet::new();
    let dir = tempfile::tempdir().unwrap();
    let (mut child, _out) = start_with(dir.path(), &fleet, &["--region", "us-east-2"]);
    let environment = std::fs::read_to_string(dir.path().join("cloudlet.env")).unwrap();
    assert!(environment.contains("AWS_DEFAULT_REGION='us-east-2'"), "{environment}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    for (region, words) in [
        ("eu-west-1", "keeps an account in us-east-2"),
        ("mars", "a Region is like us-east-2"),
        ("", "a Region is like us-east-2"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_cloudlet"))
            .args([
                "run",
                "--mqtt-port=0",
                "--credentials-port=0",
                "--api-port=0",
                "--region",
                region,
                "--dir",
            ])
            .arg(dir.path())
            .output()
            .unwrap();
        assert!(!output.status.success(), "{region}");
        assert!(text(&output).contains(words), "{region}: {}", text(&output));
    }
}
