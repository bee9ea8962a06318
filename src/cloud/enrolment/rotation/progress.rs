//! The progress of a rotation: its record on disk, and the actions and the deadline of the current step.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::action::{Action, Outcome};
use super::messages::{
    Job, commit_payload, describe_topic, end_payload, is_committed, rotator_topic, start_payload, update_topic,
};
use super::record::{Record, Step, record_file};
use crate::cloud::state_file::StateFile;

/// Longest wait for an answer of AWS IoT Jobs, or of the rotator to `commit`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the rotator's answer to `create`. Its function ends after 60 s, and must not receive a second request while it runs.
const CREATE_TIMEOUT: Duration = Duration::from_secs(90);

/// The progress of the running rotation, if there is one.
#[derive(Debug)]
pub(super) struct RotationProgress {
    file: StateFile<Record>,
    pub(super) record: Option<Record>,
    /// Number of requests of this step that were not answered.
    pub(super) tries: u32,
    /// When the machine stops waiting for an answer.
    pub(super) deadline: Option<Instant>,
    pub(super) actions: Vec<Action>,
    /// Whether the step continues once the job is known. Otherwise the machine only checks the job.
    resumes: bool,
}

impl RotationProgress {
    /// Reads the record at `path`.
    pub(super) fn load(path: PathBuf) -> Self {
        let file = record_file(path);
        Self {
            record: file.read(),
            file,
            tries: 0,
            deadline: None,
            actions: Vec::new(),
            resumes: false,
        }
    }

    /// Returns the current step.
    pub(super) fn step(&self) -> Option<Step> {
        self.record.as_ref().map(|record| record.step.clone())
    }

    /// Forgets a rotation of another thing.
    pub(super) fn forget(&mut self) {
        self.record = None;
        self.file.remove();
    }

    /// Ends a rotation that cannot continue. The previous certificate is still in use.
    pub(super) fn fail(&mut self, reason: String) {
        self.go_to(Step::Failing { reason });
        self.describe();
    }

    /// Accepts a job if it requests a rotation.
    pub(super) fn consider(&mut self, thing: &str, job: Job, now: u64) {
        if !job.is_rotation || job.has_ended {
            return;
        }
        let is_queued = job.is_queued;
        let id = job.id;
        self.record = Some(Record {
            job: id.clone(),
            thing: thing.to_owned(),
            since: now,
            step: Step::Starting,
        });
        if !is_queued {
            // An earlier run has accepted the job, but there is no record of its progress any more.
            return self.fail("the gateway has no record of this rotation".to_owned());
        }
        self.go_to(Step::Starting);
        self.actions.push(Action::Report {
            job: id.clone(),
            outcome: Outcome::Started,
        });
        self.ask(update_topic(thing, &id), start_payload(), ANSWER_TIMEOUT);
    }

    /// Continues after the job was described.
    pub(super) fn go_on(&mut self, job: &Job, step: Step) {
        if job.has_ended {
            return self.ended(step);
        }
        if !std::mem::take(&mut self.resumes) {
            return;
        }
        let Some(record) = self.record.clone() else { return };
        let update = update_topic(&record.thing, &record.job);
        match step {
            Step::Starting => self.ask(update, start_payload(), ANSWER_TIMEOUT),
            Step::Requesting => self.request(),
            Step::Committing { .. } if is_committed(&job.details) => {
                self.go_to(Step::Succeeding);
                self.ask(update, end_payload(&job.details, None), ANSWER_TIMEOUT);
            }
            Step::Committing { .. } => self.commit(),
            Step::Succeeding => self.ask(update, end_payload(&job.details, None), ANSWER_TIMEOUT),
            Step::Failing { reason } => self.ask(update, end_payload(&job.details, Some(&reason)), ANSWER_TIMEOUT),
            Step::Installing { .. } | Step::Proving { .. } | Step::Returning { .. } => {}
        }
    }

    /// Handles a job that has ended by itself: it was cancelled or has timed out.
    pub(super) fn ended(&mut self, step: Step) {
        let reason = "the job has ended at AWS: it was cancelled, or has timed out".to_owned();
        match step {
            Step::Starting | Step::Requesting | Step::Installing { .. } => self.finish(Outcome::Failed(reason)),
            Step::Failing { reason } => self.finish(Outcome::Failed(reason)),
            Step::Succeeding => self.finish(Outcome::Succeeded),
            Step::Proving { .. } | Step::Committing { .. } => self.go_back(step, reason, true),
            Step::Returning {
                certificate_id,
                previous,
                reason,
                ..
            } => self.go_to(Step::Returning {
                certificate_id,
                previous,
                reason,
                has_ended: true,
            }),
        }
    }

    /// Goes back to the previous certificate, if the new one is installed. If `has_ended`, the job needs no report.
    pub(super) fn go_back(&mut self, step: Step, reason: String, has_ended: bool) {
        let (Step::Proving {
            certificate_id,
            previous,
        }
        | Step::Committing {
            certificate_id,
            previous,
        }) = step
        else {
            return;
        };
        self.deadline = None;
        self.go_to(Step::Returning {
            certificate_id,
            previous: previous.clone(),
            reason,
            has_ended,
        });
        self.actions.push(Action::Restore { previous });
    }

    /// Ends the rotation after the session has connected without the new certificate.
    pub(super) fn returned(&mut self, reason: String, has_ended: bool) {
        match has_ended {
            true => self.finish(Outcome::Failed(reason)),
            false => self.fail(reason),
        }
    }

    /// Requests a certificate. A repeated request counts as another try of the same step.
    pub(super) fn request(&mut self) {
        if let Some(record) = &self.record {
            let job = record.job.clone();
            if record.step != Step::Requesting {
                self.go_to(Step::Requesting);
            }
            self.actions.push(Action::Request { job });
            self.deadline = Some(Instant::now() + CREATE_TIMEOUT);
        }
    }

    /// Asks the rotator to check that the new certificate is in use.
    pub(super) fn commit(&mut self) {
        if let Some(record) = &self.record {
            let topic = rotator_topic(&record.thing, "commit");
            let payload = commit_payload(&record.job);
            self.ask(topic, payload, ANSWER_TIMEOUT);
        }
    }

    /// Asks for the job's description. The answer decides how the step continues.
    pub(super) fn describe(&mut self) {
        if let Some(record) = &self.record {
            let topic = describe_topic(&record.thing, &record.job);
            self.resumes = true;
            self.ask(topic, "{}".to_owned(), ANSWER_TIMEOUT);
        }
    }

    /// Publishes a request, and waits for its answer until `time_limit` has passed.
    fn ask(&mut self, topic: String, payload: String, time_limit: Duration) {
        self.publish(topic, payload);
        self.deadline = Some(Instant::now() + time_limit);
    }

    /// Adds an action that publishes a message.
    pub(super) fn publish(&mut self, topic: String, payload: String) {
        self.actions.push(Action::Publish { topic, payload });
    }

    /// Begins a step, and records it on disk.
    pub(super) fn go_to(&mut self, step: Step) {
        if let Some(record) = &mut self.record {
            record.step = step;
            self.tries = 0;
            self.file.write(record);
        }
    }

    /// Ends the rotation: removes its record, reports the outcome, and asks for the next job.
    pub(super) fn finish(&mut self, outcome: Outcome) {
        self.deadline = None;
        self.tries = 0;
        if let Some(record) = self.record.take() {
            self.file.remove();
            self.actions.push(Action::Report {
                job: record.job,
                outcome,
            });
            // Another job may be waiting.
            self.publish(describe_topic(&record.thing, "$next"), "{}".to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
