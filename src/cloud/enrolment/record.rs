//! The record of enrolment on disk.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::texts::MethodTexts;
use crate::problem::{Problem, Remedy};

/// The purpose of a request for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// There is no certificate yet.
    First,
    /// The certificate in use expires in some time.
    Renewal,
    /// The certificate in use has expired, and no longer authenticates the gateway.
    Replacement,
}

/// The record of a requested certificate. There is no record while nothing is requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Record {
    pub(super) purpose: Purpose,
    /// The ID of the certificate that is being renewed or replaced.
    pub(super) certificate: Option<String>,
    /// When it was first requested, in seconds since 1970.
    since: u64,
    /// The time of the next attempt, in seconds since 1970.
    next: Option<u64>,
    /// Failed attempts in a row.
    pub(super) failures: u32,
    /// Whether a request was sent whose answer was not processed yet.
    pub(super) is_outstanding: bool,
    /// Whether the answer to a request was lost.
    pub(super) answer_was_lost: bool,
    /// Why the last attempt brought no certificate.
    #[serde(rename = "refusal")]
    pub(super) problem: Option<StoredProblem>,
}

/// A problem in the form in which it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct StoredProblem {
    remedy: String,
    message: String,
    next_step: Option<String>,
}

impl Record {
    pub(super) fn begin(purpose: Purpose, certificate: Option<&str>, now: SystemTime) -> Self {
        Self {
            purpose,
            certificate: certificate.map(str::to_owned),
            since: seconds(now),
            next: None,
            failures: 0,
            is_outstanding: false,
            answer_was_lost: false,
            problem: None,
        }
    }

    pub(super) fn since(&self) -> SystemTime {
        moment(self.since)
    }

    pub(super) fn next(&self) -> Option<SystemTime> {
        self.next.map(moment)
    }

    /// Sets the time of the next attempt, rounded up: late is better than early.
    pub(super) fn set_next(&mut self, next: SystemTime) {
        self.next = Some(seconds(next).saturating_add(1));
    }
}

impl StoredProblem {
    /// Returns the problem of a request that the issuer has accepted, but not decided yet.
    pub(super) fn pending(texts: &MethodTexts) -> Self {
        Self::from(&Problem::wait(format!(
            "{} has the request and has not decided yet; it is asked again at the time that it has named",
            texts.issuer
        )))
    }

    pub(super) fn problem(&self) -> Problem {
        let problem = match self.remedy.as_str() {
            "none" => Problem::expected(&self.message),
            "configuration" => Problem::configuration(&self.message),
            "factory" => Problem::factory(&self.message),
            _ => Problem::wait(&self.message),
        };
        match &self.next_step {
            Some(step) => problem.next(step),
            None => problem,
        }
    }
}

impl From<&Problem> for StoredProblem {
    fn from(problem: &Problem) -> Self {
        let remedy = match problem.remedy {
            Remedy::None => "none",
            Remedy::Wait => "wait",
            Remedy::Configuration => "configuration",
            Remedy::Factory => "factory",
        };
        Self {
            remedy: remedy.to_owned(),
            message: problem.message.clone(),
            next_step: problem.next_step.clone(),
        }
    }
}

/// Converts a time to seconds since 1970.
pub(super) fn seconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Converts seconds since 1970 to a time. A number that is too large counts as 1970, which is in the past.
pub(super) fn moment(seconds: u64) -> SystemTime {
    let since = Duration::from_secs(seconds);
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
