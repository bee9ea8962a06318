//! The outputs other than the status document, each compared with it. An error describes the difference.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::check::check;
use crate::command::{client, run};
use crate::dashboard::Dashboard;
use crate::support::World;

type Outcome = Result<(), String>;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn problems(status: &Value) -> impl Iterator<Item = &Value> {
    status["problems"].as_array().into_iter().flatten()
}

/// Returns whether a problem changes the state, so that every output contains its words.
fn is_serious(problem: &Value) -> bool {
    matches!(text(problem, "severity"), "waiting" | "attention")
}

/// Returns the words of a problem without the numbers that the verdict appends in parentheses.
fn words(problem: &Value) -> &str {
    let message = text(problem, "message");
    let is_counted = matches!(text(problem, "id"), "session-taken-over" | "role-alias-refresh");
    match message.rsplit_once(" (") {
        Some((words, _)) if is_counted => words,
        _ => message,
    }
}

/// Replaces line breaks by blanks: outputs are wrapped at different places.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: found {found:?}, the status has {expected:?}")),
    }
}

/// Checks that the line in `systemctl status` is the summary.
pub(super) fn systemd(world: &World, status: &Value) -> Outcome {
    let Some(manager) = &world.gateway.manager else {
        return Ok(());
    };
    let messages = manager.messages();
    let lines = messages.iter().flat_map(|message| message.lines());
    let shown = lines.filter_map(|line| line.strip_prefix("STATUS=")).next_back();
    let expected = text(status, "summary").replace('\n', "; ");
    same("STATUS=", shown.unwrap_or_default(), expected.as_str())
}

/// Checks that the journal has the state, and the words of each problem.
pub(super) fn journal(world: &World, status: &Value) -> Outcome {
    let log = world.gateway.log();
    let mut states = log
        .lines()
        .filter_map(|line| line.split_once(": state: ")?.1.split(':').next());
    same(
        "the last state in the journal",
        states.next_back().unwrap_or_default(),
        text(status, "state"),
    )?;
    let missing = problems(status).filter(|problem| is_serious(problem)).map(words);
    let missing: Vec<_> = missing.filter(|words| !log.contains(words)).collect();
    same("missing in the journal", missing, Vec::new())
}

/// Checks that the last health report has the same verdict as the status.
pub(super) fn health_report(dashboard: &Dashboard, status: &Value) -> Outcome {
    let report = dashboard.presence().pop().unwrap_or_default();
    same("the report's state", text(&report, "state"), "online")?;
    same("the report's status", text(&report, "status"), text(status, "state"))?;
    same(
        "the report's problem_details",
        &report["problem_details"],
        &status["problems"],
    )?;
    let sentences: Vec<_> = problems(status)
        .map(|problem| match problem["next_step"].as_str() {
            Some(step) => Value::from(format!("{}; next: {step}", text(problem, "message"))),
            None => problem["message"].clone(),
        })
        .collect();
    same("the report's problems", &report["problems"], &Value::from(sentences))?;
    same(
        "the report's summary",
        text(&report, "summary"),
        text(status, "summary"),
    )?;
    same("the report's exit code", &report["exit_code"], &status["exit_code"])
}

/// Checks that the metrics have the state, the exit code, and exactly these problems.
pub(super) fn metrics(world: &World, status: &Value) -> Outcome {
    let page = String::from_utf8(world.gateway.get("/metrics").body).unwrap();
    let samples = |name: &str| -> BTreeSet<String> {
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines.map(str::to_owned).collect()
    };
    let states = ["attention", "ready", "waiting"].map(|state| {
        let value = u8::from(state == text(status, "state"));
        format!("gatepost_state{{state=\"{state}\"}} {value}")
    });
    same("metrics", samples("gatepost_state{"), states.into())?;
    let exit_code = format!("gatepost_exit_code {}", status["exit_code"]);
    same("metrics", samples("gatepost_exit_code "), [exit_code].into())?;
    let working = format!("gatepost_working {}", u8::from(status["working"] == true));
    same("metrics", samples("gatepost_working "), [working].into())?;
    let expected = problems(status).map(|problem| {
        format!(
            "gatepost_problem{{id=\"{}\",role_alias=\"{}\",severity=\"{}\"}} 1",
            text(problem, "id"),
            text(problem, "role_alias"),
            text(problem, "severity")
        )
    });
    same("metrics", samples("gatepost_problem{"), expected.collect())
}

/// Checks that `gatepost status` begins with the state and the summary, shows each problem with its next step, and exits with the code.
pub(super) fn status_command(world: &World, status: &Value) -> Outcome {
    let (code, screen, _) = run(&mut client(&world.gateway, &["status"]));
    same(
        "the exit code of gatepost status",
        &Value::from(code),
        &status["exit_code"],
    )?;
    let headline = match text(status, "state") {
        "ready" => "gatepost is ready.",
        "waiting" => "gatepost is waiting.",
        _ => "gatepost needs attention.",
    };
    same("the first line", screen.lines().next().unwrap_or_default(), headline)?;
    let screen = flowing(&screen);
    let sentence = format!("{headline} {}", flowing(text(status, "summary")));
    let serious = problems(status).filter(|problem| is_serious(problem));
    let parts = serious.flat_map(|problem| [words(problem), text(problem, "next_step")]);
    let missing: Vec<_> = parts.filter(|part| !screen.contains(&flowing(part))).collect();
    same("missing on the screen", missing, Vec::new())?;
    same("the sentence comes first", screen.starts_with(&sentence), true)
}

/// Checks that `gatepost check` has exactly these problems, each with its words and its next step, and exits with the code.
pub(super) fn check_command(world: &World, status: &Value) -> Outcome {
    let (code, out, reason) = run(&mut check(&world.gateway, &world.cloud, &["--json"]));
    let document: Value = serde_json::from_str(&out).map_err(|error| format!("{error}: {reason}"))?;
    let lines = document["checks"].as_array().into_iter().flatten();
    let failed = |line: &&Value| line["outcome"] == "fail";
    let failures = || lines.clone().filter(failed).map(Value::to_string).collect::<Vec<_>>();
    same(
        "the exit code of gatepost check",
        &Value::from(code),
        &status["exit_code"],
    )
    .map_err(|why| format!("{why}: {:#?}", failures()))?;
    same(
        "the exit code in the document",
        &document["exit_code"],
        &status["exit_code"],
    )?;
    let state = lines.clone().find(|line| line["id"] == "state").unwrap_or(&Value::Null);
    same(
        "the line about the state",
        text(state, "message"),
        text(status, "summary"),
    )?;
    let found: BTreeSet<_> = lines
        .clone()
        .filter(|line| line["problem"].is_string())
        .map(|line| {
            let message = text(line, "message");
            let words = message.rsplit('\n').next().unwrap_or(message).to_owned();
            (
                text(line, "problem"),
                words,
                line["next_step"].to_string(),
                text(line, "outcome"),
            )
        })
        .collect();
    let expected = problems(status).map(|problem| {
        let message = text(problem, "message");
        let words = message.rsplit('\n').next().unwrap_or(message).to_owned();
        let outcome = if text(problem, "severity") == "notice" {
            "warn"
        } else {
            "fail"
        };
        (text(problem, "id"), words, problem["next_step"].to_string(), outcome)
    });
    same("the problems of gatepost check", found, expected.collect())
}
