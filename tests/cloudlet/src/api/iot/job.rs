//! Jobs, from the fleet owner's side.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use crate::Error;
use crate::account::Refusal;
use crate::jobs::{self, NewJob};
use crate::json::set;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Creation {
    targets: Vec<String>,
    document: Option<String>,
    timeout_config: Option<TimeoutConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimeoutConfig {
    in_progress_timeout_in_minutes: Option<u32>,
}

pub(super) fn create(call: &Call<'_>) -> Result<Value, Error> {
    let body: Creation = call.body()?;
    let id = call.resource();
    let valid = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if !(1..=64).contains(&id.len()) || !id.chars().all(valid) {
        return Err(Refusal::invalid("jobId is not valid").into());
    }
    let document = body.document.ok_or_else(|| Refusal::invalid("document is required"))?;
    let document = serde_json::from_str(&document).map_err(|_| Refusal::invalid("document is not valid JSON"))?;
    let things = body.targets.iter().map(|target| thing(call, target));
    jobs::create(
        call.cloud,
        NewJob {
            id: id.to_owned(),
            document,
            things: things.collect::<Result<_, _>>()?,
            timeout_minutes: body
                .timeout_config
                .and_then(|timeout| timeout.in_progress_timeout_in_minutes),
        },
    )?;
    Ok(named(call))
}

/// Returns the thing of a target. Groups are not supported as targets.
fn thing(call: &Call<'_>, target: &str) -> Result<String, Error> {
    let name = target.split_once(":thing/").map_or("", |(_, name)| name);
    call.read_account(|account| match account.registry.thing(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(Refusal::not_found(format!("There is no thing {target}")).into()),
    })
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    let id = call.resource();
    let statuses = call.cloud.jobs.statuses(id);
    let statuses = statuses.ok_or_else(|| Refusal::not_found(format!("There is no job {id}")))?;
    let has_ended = |name: &str| !matches!(name, "QUEUED" | "IN_PROGRESS");
    let is_completed = statuses.iter().all(|(_, status)| has_ended(status.name()));
    let things = statuses
        .iter()
        .map(|(thing, _)| call.read_account(|account| account.iot_arn("thing", thing)));
    Ok(json!({ "job": {
        "jobId": id,
        "jobArn": call.read_account(|account| account.iot_arn("job", id)),
        "targetSelection": "SNAPSHOT",
        "status": if is_completed { "COMPLETED" } else { "IN_PROGRESS" },
        "targets": things.collect::<Vec<String>>(),
    }}))
}

pub(super) fn cancel(call: &Call<'_>) -> Result<Value, Error> {
    jobs::cancel(call.cloud, call.resource(), call.flag("force")?)?;
    Ok(named(call))
}

pub(super) fn describe_execution(call: &Call<'_>) -> Result<Value, Error> {
    let segments = call.segments();
    let job = segments.get(3).copied().unwrap_or_default();
    let execution = call.cloud.jobs.execution(call.resource(), job);
    let mut execution = execution.ok_or_else(|| Refusal::not_found(format!("There is no execution of job {job}")))?;
    // The control plane returns the thing's ARN, and nests the details one level deeper (API Reference, JobExecution).
    set(
        &mut execution,
        "thingArn",
        call.read_account(|account| account.iot_arn("thing", call.resource())),
    );
    if let Some(details) = execution.get("statusDetails").cloned() {
        set(&mut execution, "statusDetails", json!({ "detailsMap": details }));
    }
    Ok(json!({ "execution": execution }))
}

fn named(call: &Call<'_>) -> Value {
    let id = call.resource();
    json!({ "jobId": id, "jobArn": call.read_account(|account| account.iot_arn("job", id)) })
}
