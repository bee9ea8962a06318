//! The messages of a rotation: those of AWS IoT Jobs (developer guide, jobs-mqtt-api), and those of AWS's certificate rotator
//! (awslabs/aws-greengrass-labs-certificate-rotator). This module has no input and output.
//!
//! There are two versions of the rotator's backend. The first one keeps its progress in the job's status details: it takes a request
//! only while they are exactly `certificateRotationProgress: started`, and needs its own details at the end. The second one keeps it in
//! a shadow, and sees the end of a job only if the details have `CertificateRotator`. [`final_details`] serves both.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::foreign_text;

/// The operation in the job's document.
const OPERATION: &str = "ROTATE_CERTIFICATE";
/// The longest value of a status detail (API reference, UpdateJobExecution).
const MAX_DETAIL: usize = 1024;
/// Number of status details that a job may have.
const MAX_DETAILS: usize = 10;
/// Maximum number of characters of the rotator's message that are shown.
const MAX_WORDS: usize = 200;

/// The details by name.
pub(super) type Details = BTreeMap<String, String>;

/// The fields of a job that rotation needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) is_rotation: bool,
    /// Whether no device has accepted it yet.
    pub(super) is_queued: bool,
    /// Whether it has ended, with any result.
    pub(super) has_ended: bool,
    pub(super) details: Details,
}

/// A message that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// The next job, or `None` if there is none.
    Next(Option<Job>),
    /// The description of a job that the machine has asked for.
    Described(Job),
    /// The job does not exist, or it has ended.
    NotDescribed(String),
    /// The state of a job was changed as requested.
    Updated(String),
    /// The state of a job cannot be changed.
    NotUpdated(String),
    /// The new certificate (PEM).
    Created(String),
    /// The rotator has issued no certificate, for this reason.
    NotCreated(String),
    /// The rotator has seen the new certificate in use.
    Committed,
    /// The rotator does not accept the new certificate, for this reason.
    NotCommitted(String),
}

#[derive(Deserialize)]
struct Answer {
    execution: Option<Execution>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Execution {
    job_id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    status_details: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    job_document: Value,
}

/// Returns the filters that match the messages for this thing.
pub(super) fn filters(thing: &str) -> Vec<String> {
    vec![
        format!("$aws/things/{thing}/jobs/notify-next"),
        format!("$aws/things/{thing}/jobs/+/get/+"),
        format!("$aws/things/{thing}/jobs/+/update/+"),
        format!("awslabs/things/{thing}/certificate/+/+"),
    ]
}

/// Returns the topic of requests for a job's description.
pub(super) fn describe_topic(thing: &str, job: &str) -> String {
    format!("$aws/things/{thing}/jobs/{job}/get")
}

/// Returns the topic of requests to change a job's state.
pub(super) fn update_topic(thing: &str, job: &str) -> String {
    format!("$aws/things/{thing}/jobs/{job}/update")
}

/// Returns the topic of the rotator's `create` and `commit`.
pub(super) fn rotator_topic(thing: &str, step: &str) -> String {
    format!("awslabs/things/{thing}/certificate/{step}")
}

/// Returns the payload that accepts the job.
pub(super) fn start_payload() -> String {
    json!({ "status": "IN_PROGRESS", "statusDetails": { "certificateRotationProgress": "started" } }).to_string()
}

/// Returns the payload that requests a certificate.
pub(super) fn create_payload(job: &str, csr: &str) -> String {
    json!({ "jobId": job, "csr": csr }).to_string()
}

/// Returns the payload that requests a commit.
pub(super) fn commit_payload(job: &str) -> String {
    json!({ "jobId": job }).to_string()
}

/// Returns the payload that ends the job. `known` are its details so far, and `reason` is the reason of a failure.
pub(super) fn end_payload(known: &Details, reason: Option<&str>) -> String {
    let status = match reason {
        None => "SUCCEEDED",
        Some(_) => "FAILED",
    };
    json!({ "status": status, "statusDetails": final_details(known, reason) }).to_string()
}

fn final_details(known: &Details, reason: Option<&str>) -> Details {
    let mut details = known.clone();
    while details.len() > MAX_DETAILS - 2 {
        details.pop_last();
    }
    details.insert("CertificateRotator".to_owned(), "true".to_owned());
    if let Some(reason) = reason {
        let short = reason.chars().filter(char::is_ascii).take(MAX_DETAIL).collect();
        details.insert("DeviceFailureReason".to_owned(), short);
    }
    details
}

/// Returns whether the details show that the rotator has seen the new certificate in use.
pub(super) fn is_committed(details: &Details) -> bool {
    details
        .get("certificateRotationProgress")
        .is_some_and(|progress| progress == "committed")
}

/// Parses a message; `None` if it has another meaning or cannot be parsed.
pub(super) fn read(thing: &str, topic: &str, payload: &[u8]) -> Option<Incoming> {
    if let Some(rest) = topic.strip_prefix(&format!("$aws/things/{thing}/jobs/")) {
        return read_job(rest, payload);
    }
    let rest = topic.strip_prefix(&format!("awslabs/things/{thing}/certificate/"))?;
    match rest {
        "create/accepted" => {
            let answer: Value = serde_json::from_slice(payload).ok()?;
            Some(Incoming::Created(answer.get("certificatePem")?.as_str()?.to_owned()))
        }
        "create/rejected" => Some(Incoming::NotCreated(words(payload))),
        "commit/accepted" => Some(Incoming::Committed),
        "commit/rejected" => Some(Incoming::NotCommitted(words(payload))),
        _ => None,
    }
}

fn read_job(rest: &str, payload: &[u8]) -> Option<Incoming> {
    let job = |name: &str| name.to_owned();
    match rest.split('/').collect::<Vec<_>>().as_slice() {
        ["notify-next"] | ["$next", "get", "accepted"] => Some(Incoming::Next(read_execution(payload)?)),
        ["$next", "get", "rejected"] => None,
        [_, "get", "accepted"] => Some(Incoming::Described(read_execution(payload)??)),
        [name, "get", "rejected"] => Some(Incoming::NotDescribed(job(name))),
        [name, "update", "accepted"] => Some(Incoming::Updated(job(name))),
        [name, "update", "rejected"] => Some(Incoming::NotUpdated(job(name))),
        _ => None,
    }
}

/// Parses the execution in a message. The inner `None` means that there is none.
fn read_execution(payload: &[u8]) -> Option<Option<Job>> {
    let answer: Answer = serde_json::from_slice(payload).ok()?;
    let Some(execution) = answer.execution else {
        return Some(None);
    };
    // The ID becomes a level of topics.
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let id = execution.job_id;
    if id.is_empty() || id.len() > 64 || !id.chars().all(is_id) {
        return None;
    }
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let details = execution.status_details.unwrap_or_default();
    let operation = execution.job_document.get("operation").and_then(Value::as_str);
    Some(Some(Job {
        id,
        is_rotation: operation == Some(OPERATION),
        is_queued: execution.status == "QUEUED",
        has_ended: !matches!(execution.status.as_str(), "QUEUED" | "IN_PROGRESS"),
        details: details.into_iter().map(|(name, value)| (name, text(value))).collect(),
    }))
}

/// Returns the rotator's message, made safe to show.
fn words(payload: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    let said = answer.get("errorMsg").and_then(Value::as_str).unwrap_or_default();
    let short: String = said.chars().take(MAX_WORDS).collect();
    match short.is_empty() || foreign_text::may_be_secret(&short) {
        true => "no reason given".to_owned(),
        false => foreign_text::clean(short),
    }
}

#[cfg(test)]
mod tests;
