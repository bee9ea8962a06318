//! The execution of a job on a thing.

use std::collections::BTreeMap;

use crate::json::set;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The state of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Queued,
    InProgress,
    Succeeded,
    Failed,
    Rejected,
    TimedOut,
    Canceled,
}

const NAMES: [(Status, &str); 7] = [
    (Status::Queued, "QUEUED"),
    (Status::InProgress, "IN_PROGRESS"),
    (Status::Succeeded, "SUCCEEDED"),
    (Status::Failed, "FAILED"),
    (Status::Rejected, "REJECTED"),
    (Status::TimedOut, "TIMED_OUT"),
    (Status::Canceled, "CANCELED"),
];

impl Status {
    pub(crate) fn name(self) -> &'static str {
        let named = NAMES.iter().find(|(status, _)| *status == self);
        named.map_or("", |(_, name)| name)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(status, _)| *status)
    }

    pub(crate) fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::InProgress)
    }
}

/// The execution of a job on a thing.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    pub(super) job: String,
    pub(super) document: Value,
    pub(super) number: u64,
    pub(super) status: Status,
    pub(super) details: BTreeMap<String, String>,
    pub(super) version: u64,
    queued_at: u64,
    started_at: Option<u64>,
    last_updated_at: u64,
    /// When the job's own timeout ends the execution.
    pub(super) job_timer: Option<Instant>,
    /// When the timeout of the present step ends it: the device sets it with each update.
    pub(super) step_timer: Option<Instant>,
}

impl Execution {
    pub(super) fn new(job: &str, document: Value, number: u64, now: u64) -> Self {
        Self {
            job: job.to_owned(),
            document,
            number,
            status: Status::Queued,
            details: BTreeMap::new(),
            version: 1,
            queued_at: now,
            started_at: None,
            last_updated_at: now,
            job_timer: None,
            step_timer: None,
        }
    }

    /// Sets the status, and the details if new ones are given. Each change increments the version.
    pub(super) fn change(&mut self, status: Status, details: Option<&BTreeMap<String, String>>, now: u64) {
        if status == Status::InProgress && self.started_at.is_none() {
            self.started_at = Some(now);
        }
        if let Some(details) = details {
            self.details = details.clone();
        }
        self.status = status;
        self.version += 1;
        self.last_updated_at = now;
        if status.is_terminal() {
            (self.job_timer, self.step_timer) = (None, None);
        }
    }

    /// Returns when the execution times out, if it does.
    pub(super) fn timer(&self) -> Option<Instant> {
        self.job_timer.into_iter().chain(self.step_timer).min()
    }

    /// Returns JobExecutionSummary.
    pub(super) fn summary(&self) -> Value {
        let mut summary = json!({
            "jobId": self.job, "queuedAt": self.queued_at, "lastUpdatedAt": self.last_updated_at,
            "executionNumber": self.number, "versionNumber": self.version,
        });
        if let Some(started) = self.started_at {
            set(&mut summary, "startedAt", started);
        }
        summary
    }

    /// Returns JobExecution.
    pub(super) fn json(&self, thing: &str, with_document: bool) -> Value {
        let mut execution = self.summary();
        set(&mut execution, "thingName", thing);
        set(&mut execution, "status", self.status.name());
        if !self.details.is_empty() {
            set(&mut execution, "statusDetails", json!(self.details));
        }
        if with_document {
            set(&mut execution, "jobDocument", self.document.clone());
        }
        if let Some(timer) = self.timer() {
            let left = timer.saturating_duration_since(Instant::now());
            set(&mut execution, "approximateSecondsBeforeTimedOut", left.as_secs());
        }
        execution
    }

    /// Returns JobExecutionState.
    pub(super) fn state(&self) -> Value {
        json!({ "status": self.status.name(), "statusDetails": self.details, "versionNumber": self.version })
    }
}
