//! Reports the progress of enrolment to the identity's task and the journal.

use std::time::SystemTime;

use log::Level;
use tokio::sync::watch;

use crate::clock::rfc3339;
use crate::event::{Event, journal};
use crate::problem::{Problem, Remedy};
use crate::status::EnrolmentDetails;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptEnd {
    Issued,
    Waiting,
    Failed,
}

/// The report, and the attempts that are not in it yet.
pub(super) struct ProgressReport {
    details: watch::Sender<Option<EnrolmentDetails>>,
    ended: Vec<AttemptEnd>,
}

impl ProgressReport {
    /// Creates the report of a method that is about to ask `issuer`.
    pub(super) fn new(method: &'static str, issuer: &str) -> (Self, watch::Receiver<Option<EnrolmentDetails>>) {
        let details = EnrolmentDetails {
            method,
            problem: Some(Problem::wait(format!("asking {issuer} for a certificate"))),
            ..EnrolmentDetails::default()
        };
        let (details, receiver) = watch::channel(Some(details));
        let ended = Vec::new();
        (Self { details, ended }, receiver)
    }

    /// Counts an attempt. It is reported with its consequences.
    pub(super) fn count(&mut self, end: AttemptEnd) {
        self.ended.push(end);
    }

    /// Reports the progress to the identity's task, and a new problem to the journal. The attempts that have ended are counted in the same
    /// step, so that whoever sees a higher count also sees the outcome.
    pub(super) fn send(&mut self, since: Option<SystemTime>, next: Option<SystemTime>, problem: Option<Problem>) {
        let mut is_news = false;
        let ended = std::mem::take(&mut self.ended);
        self.details.send_if_modified(|known| {
            let Some(known) = known else { return false };
            is_news = known.problem != problem;
            let before = known.clone();
            for end in ended {
                known.attempts += 1;
                known.issued += u64::from(end == AttemptEnd::Issued);
                known.failed += u64::from(end == AttemptEnd::Failed);
            }
            known.since = since.map(rfc3339);
            known.next_attempt = next.map(rfc3339);
            known.problem.clone_from(&problem);
            *known != before
        });
        if let Some(problem) = problem.filter(|_| is_news) {
            let level = match problem.remedy {
                Remedy::None | Remedy::Wait => Level::Info,
                Remedy::Configuration | Remedy::Factory => Level::Warn,
            };
            journal!(level, Event::EnrolmentFailed; "enrolment: {problem}");
        }
    }
}
