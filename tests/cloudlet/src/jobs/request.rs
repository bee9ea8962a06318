//! Requests, parsed and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::execution::Status;
use super::rejection::Rejection;

/// Maximum number of status details, and maximum lengths of a name and a value (API Reference, UpdateJobExecution).
const MAX_DETAILS: usize = 10;
const MAX_DETAIL_NAME: usize = 128;
const MAX_DETAIL_VALUE: usize = 1024;
/// Range of a step timer in minutes; -1 ends it.
const TIMER_RANGE: std::ops::RangeInclusive<i64> = 1..=10_080;
/// Maximum length of a client token.
const MAX_TOKEN: usize = 64;

/// A request. Each operation uses some of its members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobRequest {
    client_token: Option<String>,
    status: Option<String>,
    status_details: Option<BTreeMap<String, String>>,
    pub(super) expected_version: Option<u64>,
    pub(super) execution_number: Option<u64>,
    pub(super) include_job_execution_state: bool,
    include_job_document: Option<bool>,
    step_timeout_in_minutes: Option<i64>,
}

/// A change of a step timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepTimer {
    Keep,
    End,
    Start(Duration),
}

impl JobRequest {
    /// Parses a request. An empty payload is an empty request.
    pub(super) fn read(payload: &[u8]) -> Result<Self, Rejection> {
        if payload.is_empty() {
            return Ok(Self::default());
        }
        let not_json = || Rejection::new("InvalidJson", "The request is not valid JSON in UTF-8");
        let document: Value = serde_json::from_slice(payload).map_err(|_| not_json())?;
        let request: Self =
            serde_json::from_value(document).map_err(|_| Rejection::invalid("A member has the wrong type"))?;
        let is_long = |token: &String| token.len() > MAX_TOKEN;
        match request.client_token.as_ref().is_some_and(is_long) {
            true => Err(Rejection::invalid("clientToken is longer than 64 bytes")),
            false => Ok(request),
        }
    }

    pub(super) fn client_token(&self) -> Option<Value> {
        self.client_token.clone().map(Value::String)
    }

    /// Returns the status, if a device may set it.
    pub(super) fn status(&self) -> Result<Status, Rejection> {
        let text = self
            .status
            .as_deref()
            .ok_or_else(|| Rejection::invalid("status is missing"))?;
        match Status::parse(text) {
            Some(Status::InProgress | Status::Succeeded | Status::Failed | Status::Rejected) => {
                Status::parse(text).ok_or_else(|| Rejection::invalid("status is not valid"))
            }
            _ => Err(Rejection::invalid(
                "status must be IN_PROGRESS, SUCCEEDED, FAILED or REJECTED",
            )),
        }
    }

    /// Returns the status details, if the request has some.
    pub(super) fn details(&self) -> Result<Option<&BTreeMap<String, String>>, Rejection> {
        let Some(details) = &self.status_details else {
            return Ok(None);
        };
        let is_valid = |(name, value): (&String, &String)| {
            let valid_name = |c: char| c.is_ascii_alphanumeric() || ":_-".contains(c);
            (1..=MAX_DETAIL_NAME).contains(&name.len())
                && name.chars().all(valid_name)
                && (1..=MAX_DETAIL_VALUE).contains(&value.len())
        };
        match details.len() <= MAX_DETAILS && details.iter().all(is_valid) {
            true => Ok(Some(details)),
            false => Err(Rejection::invalid("statusDetails are not valid")),
        }
    }

    pub(super) fn includes_document(&self, default: bool) -> bool {
        self.include_job_document.unwrap_or(default)
    }

    pub(super) fn step_timer(&self, minute: Duration) -> Result<StepTimer, Rejection> {
        match self.step_timeout_in_minutes {
            None => Ok(StepTimer::Keep),
            Some(-1) => Ok(StepTimer::End),
            Some(minutes) if TIMER_RANGE.contains(&minutes) => {
                Ok(StepTimer::Start(minute * u32::try_from(minutes).unwrap_or(u32::MAX)))
            }
            Some(_) => Err(Rejection::invalid("stepTimeoutInMinutes is not valid")),
        }
    }
}
