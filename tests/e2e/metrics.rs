//! GET /metrics and `gatepost status --watch`, which operators observe continuously.

use std::io::Write;
use std::process::Stdio;

use cloudlet::switches::Answer;
use gatepost::build_info;
use rig::process::Process;
use rig::{command, wait};

use crate::command::client;
use crate::loopback::switch_on;
use crate::support::{Gateway, SOON, World};

/// Prints every sample as the reference parser (prometheus_client) reads it, one per line: `name{label="value"} 1.0`. Fails if the text
/// violates the format, or a name or help text violates the conventions.
const REFERENCE_PARSER: &str = r#"
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.type in ("gauge", "counter", "histogram"), family
    assert family.documentation.endswith("."), family
    assert family.name.startswith(("gatepost_", "process_")), family
    for sample in family.samples:
        labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
        assert family.type != "counter" or sample.name.endswith("_total"), sample
        print(sample.name + ("{" + labels + "}" if labels else ""), sample.value)
"#;

pub fn metrics(gateway: &Gateway) -> String {
    let answer = gateway.get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let mut parser = command::command(command::python());
    let mut parser = parser
        .args(["-c", REFERENCE_PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    parser.stdin.take().unwrap().write_all(&answer.body).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&answer.body));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns a sample's value, if it exists.
fn value(page: &str, sample: &str) -> Option<f64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

#[test]
fn the_metrics_agree_with_the_status() {
    let mut world = World::new();
    world.gateway.config.push_str("\n[[role-alias]]\nname = \"video\"\n");
    let address = switch_on(&mut world.gateway);
    world.gateway.start();
    world.gateway.wait_for_csr();
    let page = metrics(&world.gateway);
    let (version, commit) = (build_info::VERSION, build_info::commit().unwrap_or_default());
    let build_info = format!("gatepost_build_info{{commit=\"{commit}\",version=\"{version}\"}}");
    for (sample, expected) in [
        (build_info.as_str(), Some(1.0)),
        ("gatepost_token_ready", Some(1.0)),
        ("gatepost_token_signature_seconds_count", Some(1.0)),
        ("gatepost_clock_set", Some(1.0)),
        ("gatepost_session_up", Some(0.0)),
        ("gatepost_provisioned", Some(0.0)),
        ("gatepost_certificate_expiry_seconds", None),
        ("gatepost_credentials_valid{role_alias=\"telemetry\"}", Some(0.0)),
        ("gatepost_credentials_expiry_seconds{role_alias=\"telemetry\"}", None),
        (
            "gatepost_credentials_refreshes_total{result=\"success\",role_alias=\"telemetry\"}",
            Some(0.0),
        ),
        ("gatepost_state{state=\"ready\"}", Some(0.0)),
    ] {
        assert_eq!(value(&page, sample), expected, "{sample} in:\n{page}");
    }

    world
        .cloud
        .switches()
        .set(|s| s.credentials.answer = Answer::Status(500, String::new()));
    world.certify();
    let count = |sample: &str| value(&metrics(&world.gateway), sample).unwrap_or_default();
    let refreshes = |result: &str| {
        let sample = format!("gatepost_credentials_refreshes_total{{result=\"{result}\",role_alias=\"telemetry\"}}");
        count(&sample)
    };
    wait::until(SOON, "a failed refresh", || refreshes("transient_failure") > 0.0).unwrap();
    world.cloud.switches().set(|s| s.credentials.answer = Answer::Normal);
    wait::until(SOON, "a good refresh", || refreshes("success") > 0.0).unwrap();
    let refused = "gatepost_credentials_refreshes_total{result=\"refused\",role_alias=\"video\"}";
    wait::until(SOON, "a refusal, since AWS knows no alias video", || {
        count(refused) > 0.0
    })
    .unwrap();
    wait::until(SOON, "the session", || count("gatepost_session_up") == 1.0).unwrap();
    world.gateway.credentials();

    let page = metrics(&world.gateway);
    let within = |sample: &str, low: f64, high: f64| {
        let found = value(&page, sample);
        assert!(
            found.is_some_and(|found| (low..=high).contains(&found)),
            "{sample} is {found:?} in:\n{page}"
        );
    };
    within(
        "gatepost_credentials_expiry_seconds{role_alias=\"telemetry\"}",
        3000.0,
        3600.0,
    );
    within("gatepost_credentials_valid{role_alias=\"telemetry\"}", 1.0, 1.0);
    within("gatepost_certificate_expiry_seconds", 3600.0, 40.0 * 365.0 * 86400.0);
    within("gatepost_session_connects_total", 1.0, 1.0);
    within("gatepost_provisioned", 1.0, 1.0);
    within("gatepost_state{state=\"attention\"}", 1.0, 1.0);
    within("gatepost_requests_total{code=\"200\",listener=\"socket\"}", 1.0, 1e6);
    let signatures = world.gateway.status()["token"]["signatures"].as_f64().unwrap();
    within("gatepost_token_signature_seconds_count", 2.0, signatures);
    within("gatepost_token_signature_seconds_bucket{le=\"+Inf\"}", 2.0, signatures);

    // Prometheus itself supports TCP only.
    let mut curl = command::command("curl");
    let over_tcp = command::run(curl.args(["-sf", &format!("http://{address}/metrics")]), "curl").unwrap();
    assert!(over_tcp.contains("# TYPE gatepost_session_up gauge\n"), "{over_tcp}");
}

#[test]
fn the_status_can_be_watched() {
    let mut world = World::new();
    let mut command = client(&world.gateway, &["status", "--watch"]);
    let watch = Process::spawn(&mut command, "gatepost").unwrap();
    let seen = |words: &str| watch.wait_for_line(SOON, |line| line.contains(words)).unwrap();
    seen("the daemon is not running");
    world.bring_online();
    let line = seen("ready: online as gw-1; 1 of 1 role aliases valid");
    assert!(line.starts_with("20"), "it begins with the time: {line}");
    world.gateway.stop();
    watch
        .wait_for_line_after(watch.line_count() - 1, SOON, |line| {
            line.contains("attention: gatepostd is not running: it was stopped at")
        })
        .unwrap();

    world.gateway.start();
    world.gateway.wait_online();
    let mut command = client(&world.gateway, &["status", "--watch", "--json"]);
    let documents = Process::spawn(&mut command, "gatepost").unwrap();
    let line = documents
        .wait_for_line(SOON, |line| line.contains("\"summary\""))
        .unwrap();
    let document = &line[line.find('{').unwrap()..];
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(document).unwrap()["state"],
        "ready"
    );

    // On a terminal it is a screen that is redrawn continuously.
    let client_path = world.gateway.client();
    let script = format!("{} status --watch", client_path.display());
    let mut terminal = command::command("script");
    terminal
        .args(["--quiet", "--flush", "--command", &script, "/dev/null"])
        .env("GATEPOST_SOCKET", world.gateway.socket())
        .env("TERM", "xterm");
    let screen = Process::spawn(&mut terminal, "bsdutils").unwrap();
    let first = screen
        .wait_for_line(SOON, |line| line.contains("gatepost is ready."))
        .unwrap();
    assert!(first.contains("\u{1b}[H\u{1b}[J"), "{first:?}");
    let seen = screen.line_count();
    screen
        .wait_for_line_after(seen, SOON, |line| line.contains("gatepost is ready."))
        .unwrap();
}
