//! Promise 16: status, check, systemd, journal, metrics and health report say the same.

mod offline;
mod online;
mod stopped;

use serde_json::Value;

use crate::check::check;
use crate::command::{client, run};
use crate::dashboard::Dashboard;
use crate::metrics::metrics;
use crate::world::{SOON, World};

/// What a state of the gateway is expected to look like.
struct Expected {
    state: &'static str,
    exit_code: i32,
    /// The identifier of a problem; none where nothing is amiss.
    problem: Option<&'static str>,
    /// Words of the sentence.
    words: &'static str,
}

const fn expected(state: &'static str, exit_code: i32, problem: Option<&'static str>, words: &'static str) -> Expected {
    Expected {
        state,
        exit_code,
        problem,
        words,
    }
}

fn has_problem(problems: &Value, id: Option<&str>) -> bool {
    let problems = problems.as_array().map(Vec::as_slice).unwrap_or_default();
    id.is_none_or(|id| problems.iter().any(|problem| problem["id"] == id))
}

/// Waits until the status is as expected, and then compares every other output with it. The health report is compared where
/// somebody listens at AWS.
fn all_say(world: &mut World, dashboard: Option<&Dashboard>, expected: &Expected) {
    let is_there = |status: &Value| {
        status["state"] == expected.state
            && has_problem(&status["problems"], expected.problem)
            && status["summary"]
                .as_str()
                .is_some_and(|text| text.contains(expected.words))
    };
    let status = rig::wait::until_some(2 * SOON, &format!("{} in the status", expected.words), || {
        Some(world.gateway.status()).filter(is_there)
    });
    let status =
        status.unwrap_or_else(|error| panic!("{error}\n{:#}\n{}", world.gateway.status(), world.gateway.log()));
    assert_eq!(status["exit_code"], expected.exit_code, "{status:#}");

    let (code, screen, _) = run(&mut client(&world.gateway, &["status"]));
    assert_eq!(code, expected.exit_code, "{screen}");

    let (code, out, reason) = run(&mut check(&world.gateway, &world.cloud, &["--json"]));
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {reason}"));
    assert_eq!(
        (code, &document["exit_code"]),
        (expected.exit_code, &Value::from(expected.exit_code)),
        "{document:#}"
    );
    let lines = document["checks"].as_array().unwrap();
    let line = |id: &str| lines.iter().find(|line| line["id"] == id);
    assert!(
        line("state").unwrap()["message"]
            .as_str()
            .unwrap()
            .contains(expected.words),
        "{document:#}"
    );
    let named = |id| {
        lines
            .iter()
            .any(|line| line["problem"] == id && line["outcome"] != "ok")
    };
    assert!(
        expected.problem.is_none_or(named),
        "{:?}: {document:#}",
        expected.problem
    );

    let metrics = metrics(&world.gateway);
    let state = format!("gatepost_state{{state=\"{}\"}} 1", expected.state);
    let exit_code = format!("gatepost_exit_code {}", expected.exit_code);
    assert!(metrics.contains(&state) && metrics.contains(&exit_code), "{metrics}");
    let problem = expected.problem.map(|id| format!("gatepost_problem{{id=\"{id}\""));
    assert!(problem.is_none_or(|problem| metrics.contains(&problem)), "{metrics}");

    let is_told = |message: &str| message.starts_with("STATUS=") && message.contains(expected.words);
    if let Some(manager) = &world.gateway.manager {
        manager.wait_for(SOON, is_told).unwrap();
    }
    let journal = format!("state: {}: ", expected.state);
    rig::wait::until(SOON, &journal, || world.gateway.log().contains(&journal)).unwrap();

    if let Some(dashboard) = dashboard {
        let reported = |report: &Value| {
            report["status"] == expected.state
                && report["exit_code"] == expected.exit_code
                && has_problem(&report["problem_details"], expected.problem)
                && report["summary"]
                    .as_str()
                    .is_some_and(|text| text.contains(expected.words))
        };
        rig::wait::until(SOON, &format!("{} in a health report", expected.words), || {
            dashboard.presence().iter().any(reported)
        })
        .unwrap_or_else(|error| panic!("{error}\n{:#?}", dashboard.presence().last()));
    }
}
