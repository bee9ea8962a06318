//! The record of enrolment on disk.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use log::Level;
use serde::{Deserialize, Serialize};

use super::texts::MethodTexts;
use crate::atomic_file;
use crate::event::{Event, journal};
use crate::problem::{Problem, Remedy};

/// The reason for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// There is none.
    First,
    /// The one in use ends in some time.
    Renewal,
    /// The one in use has expired, and proves nothing any more.
    Replacement,
}

/// The record of a certificate that is being asked for. There is none while nothing is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Record {
    pub(super) purpose: Purpose,
    /// The ID of the certificate that is being renewed or replaced.
    pub(super) certificate: Option<String>,
    /// Since when it is asked for, in seconds since 1970.
    since: u64,
    /// The next attempt, likewise.
    next: Option<u64>,
    /// Failed attempts in a row.
    pub(super) failures: u32,
    /// A request was sent, and its answer was not understood yet.
    pub(super) is_outstanding: bool,
    /// The answer to some request was lost.
    pub(super) answer_was_lost: bool,
    /// Why there is no certificate yet.
    pub(super) refusal: Option<Refusal>,
}

/// A problem as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Refusal {
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
            refusal: None,
        }
    }

    pub(super) fn since(&self) -> SystemTime {
        moment(self.since)
    }

    pub(super) fn next(&self) -> Option<SystemTime> {
        self.next.map(moment)
    }

    /// Rounded up: an attempt is rather late than early.
    pub(super) fn set_next(&mut self, next: SystemTime) {
        self.next = Some(seconds(next).saturating_add(1));
    }
}

impl Refusal {
    /// The server has the request, and decides later.
    pub(super) fn waiting(texts: &MethodTexts) -> Self {
        Self::from(&Problem::wait(format!(
            "{} has the request and has not decided yet; it is asked again when it wants to be",
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

impl From<&Problem> for Refusal {
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

/// The file of a record.
#[derive(Debug)]
pub(super) struct RecordFile(PathBuf);

impl RecordFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn read(&self) -> Option<Record> {
        let text = fs::read(&self.0).ok()?;
        serde_json::from_slice(&text)
            .map_err(|error| journal!(Level::Warn, Event::StateDamaged; "enrolment: {} is damaged in line {} and is begun anew", self.0.display(), error.line()))
            .ok()
    }

    pub(super) fn write(&self, record: &Record) {
        let written = serde_json::to_vec(record)
            .map_err(std::io::Error::other)
            .and_then(|text| atomic_file::replace(&self.0, &text));
        if let Err(error) = written {
            journal!(
                Level::Warn, Event::StateUnwritable;
                "enrolment: {} cannot be written; after a restart the waits between attempts begin anew: {error}",
                self.0.display()
            );
        }
    }

    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            journal!(Level::Warn, Event::StateUnwritable; "enrolment: {} cannot be removed: {error}", self.0.display());
        }
    }
}

fn seconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// A number that no clock reaches counts as 1970, which is over.
fn moment(seconds: u64) -> SystemTime {
    let since = Duration::from_secs(seconds);
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
