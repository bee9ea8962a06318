//! The state machine of a rotation: it decides what each message means and which actions follow, without input and output.
//!
//! Whenever a step continues after an interruption, the machine first asks for the job, because the job may have ended or may have
//! progressed further than the record says.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::messages::{Incoming, describe_topic};
use super::record::{Record, Step, record_file};
use crate::cloud::state_file::StateFile;

/// Longest wait for an answer of AWS IoT Jobs, or of the rotator to `commit`.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the rotator's answer to `create`. Its function ends after 60 s, and must not receive a second request while it runs.
pub(super) const CREATE_TIMEOUT: Duration = Duration::from_secs(90);
/// Longest wait for a connection with the new certificate. The rotator's job template ends a job after five minutes.
const PROOF_TIMEOUT: Duration = Duration::from_secs(4 * 60);
/// Number of unanswered requests after which a step is given up.
const MAX_TRIES: u32 = 3;
/// The same for `create`.
const MAX_CREATE_TRIES: u32 = 2;

/// An action for the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Publish a message.
    Publish { topic: String, payload: String },
    /// Ask the rotator for a certificate for this job.
    Request { job: String },
    /// Install this certificate (PEM).
    Install { certificate: String },
    /// Restore this content of the certificate file.
    Restore { previous: String },
    /// Report the outcome of a job.
    Report { job: String, outcome: Outcome },
}

/// The outcome of a job, or its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The job was accepted.
    Started,
    /// The new certificate is in use, and the job has the state SUCCEEDED.
    Succeeded,
    /// The previous certificate stays in use, for this reason.
    Failed(String),
}

/// The machine and its record.
#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) file: StateFile<Record>,
    pub(super) record: Option<Record>,
    /// The certificate of the open connection.
    pub(super) connection: Option<String>,
    /// Number of requests of this step that were not answered.
    pub(super) tries: u32,
    pub(super) deadline: Option<Instant>,
    /// Whether the step continues once the job is known. Otherwise the machine only checks the job.
    pub(super) resumes: bool,
    pub(super) actions: Vec<Action>,
}

impl Rotation {
    /// Creates the machine from the record at `path`.
    pub(super) fn load(path: PathBuf) -> Self {
        let file = record_file(path);
        let record: Option<Record> = file.read();
        let actions = match record.as_ref().map(|record| record.step.clone()) {
            Some(Step::Installing { certificate, .. }) => vec![Action::Install { certificate }],
            Some(Step::Returning { previous, .. }) => vec![Action::Restore { previous }],
            _ => Vec::new(),
        };
        let deadline = matches!(record.as_ref().map(|record| &record.step), Some(Step::Proving { .. }));
        Self {
            file,
            record,
            connection: None,
            tries: 0,
            deadline: deadline.then(|| Instant::now() + PROOF_TIMEOUT),
            resumes: false,
            actions,
        }
    }

    /// Returns the record of the running rotation.
    pub(super) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Returns when [`time_up`](Self::time_up) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the due actions in their order, and removes them.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Handles a message that could not be sent: the machine asks for the job again at the time `again`.
    pub(super) fn not_sent(&mut self, again: Instant) {
        if self.connection.is_some() && self.record.is_some() {
            self.deadline = Some(again);
            self.tries = self.tries.saturating_sub(1);
        }
    }

    /// Handles a new connection as `thing` with this certificate.
    pub(super) fn connected(&mut self, thing: &str, certificate: &str) {
        self.connection = Some(certificate.to_owned());
        if self.record.as_ref().is_some_and(|record| record.thing != thing) {
            self.record = None;
            self.file.remove();
        }
        let Some(record) = self.record.clone() else {
            self.deadline = None;
            return self.publish(describe_topic(thing, "$next"), "{}".to_owned());
        };
        match record.step {
            Step::Proving {
                certificate_id,
                previous,
            } if certificate_id == certificate => {
                self.go_to(Step::Committing {
                    certificate_id,
                    previous,
                });
                self.commit();
            }
            Step::Committing {
                certificate_id,
                previous,
            } if certificate_id != certificate => {
                self.go_to(Step::Proving {
                    certificate_id,
                    previous,
                });
                self.deadline = Some(Instant::now() + PROOF_TIMEOUT);
            }
            Step::Returning {
                certificate_id,
                reason,
                has_ended,
                ..
            } if certificate_id != certificate => self.returned(reason, has_ended),
            Step::Installing { .. } | Step::Proving { .. } | Step::Returning { .. } => {}
            _ => self.describe(),
        }
    }

    /// Handles the end of the connection. The machine no longer waits for pending answers.
    pub(super) fn disconnected(&mut self) {
        self.connection = None;
        let is_proving = self
            .record
            .as_ref()
            .is_some_and(|record| matches!(record.step, Step::Proving { .. }));
        if !is_proving {
            self.deadline = None;
        }
    }

    /// Handles a message. `previous` is the content of the certificate file, and `now` is in seconds since 1970.
    pub(super) fn receive(&mut self, thing: &str, incoming: Incoming, previous: Option<String>, now: u64) {
        let Some(record) = self.record.clone() else {
            return match incoming {
                Incoming::Next(Some(job)) | Incoming::Described(job) => self.consider(thing, job, now),
                _ => {}
            };
        };
        let is_about = |job: &str| job == record.job;
        match (incoming, record.step) {
            (Incoming::Next(job), _) if job.as_ref().is_none_or(|job| !is_about(&job.id)) => {
                // The job may have been cancelled.
                self.publish(describe_topic(&record.thing, &record.job), "{}".to_owned());
            }
            (Incoming::Described(job), step) if is_about(&job.id) => self.go_on(&job, step),
            (Incoming::NotDescribed(job), step) if is_about(&job) => self.ended(step),
            (Incoming::Updated(job), Step::Starting) if is_about(&job) => self.request(),
            (Incoming::Updated(job) | Incoming::NotUpdated(job), Step::Succeeding) if is_about(&job) => {
                self.finish(Outcome::Succeeded);
            }
            (Incoming::Updated(job) | Incoming::NotUpdated(job), Step::Failing { reason }) if is_about(&job) => {
                self.finish(Outcome::Failed(reason));
            }
            (Incoming::NotUpdated(job), step @ Step::Starting) if is_about(&job) => self.ended(step),
            (Incoming::Created(certificate), Step::Requesting) => match previous {
                Some(previous) => {
                    let action = Action::Install {
                        certificate: certificate.clone(),
                    };
                    self.go_to(Step::Installing { certificate, previous });
                    self.deadline = None;
                    self.actions.push(action);
                }
                None => self.fail("the file with the previous certificate cannot be read".to_owned()),
            },
            (Incoming::NotCreated(why), Step::Requesting) => {
                self.fail(format!("AWS's certificate rotator has refused the request ({why})"));
            }
            (Incoming::Committed, Step::Committing { .. }) => {
                self.go_to(Step::Succeeding);
                self.describe();
            }
            (Incoming::NotCommitted(why), step @ Step::Committing { .. }) => {
                let reason = format!("AWS's certificate rotator has not accepted the new certificate ({why})");
                self.go_back(step, reason, false);
            }
            _ => {}
        }
    }

    /// Continues after the new certificate was installed.
    pub(super) fn installed(&mut self, certificate_id: &str) {
        let Some(Step::Installing { previous, .. }) = self.record.as_ref().map(|record| record.step.clone()) else {
            return;
        };
        let certificate_id = certificate_id.to_owned();
        if self.connection.as_ref() == Some(&certificate_id) {
            self.go_to(Step::Committing {
                certificate_id,
                previous,
            });
            return self.commit();
        }
        self.go_to(Step::Proving {
            certificate_id,
            previous,
        });
        self.deadline = Some(Instant::now() + PROOF_TIMEOUT);
    }

    /// Continues after the previous certificate was restored.
    pub(super) fn restored(&mut self) {
        if let Some(Step::Returning {
            certificate_id,
            reason,
            has_ended,
            ..
        }) = self.record.as_ref().map(|record| record.step.clone())
            && self
                .connection
                .as_ref()
                .is_some_and(|connection| *connection != certificate_id)
        {
            self.returned(reason, has_ended);
        }
    }

    /// Ends a rotation that cannot continue. The previous certificate is still in use.
    pub(super) fn fail(&mut self, reason: String) {
        self.go_to(Step::Failing { reason });
        self.describe();
    }

    /// Handles a deadline that has passed.
    pub(super) fn time_up(&mut self) {
        self.deadline = None;
        let Some(step) = self.record.as_ref().map(|record| record.step.clone()) else {
            return;
        };
        if let Step::Proving { .. } = step {
            let reason = format!(
                "AWS has accepted no connection with the new certificate within {} s",
                PROOF_TIMEOUT.as_secs()
            );
            return self.go_back(step, reason, false);
        }
        self.tries += 1;
        let most = match step {
            Step::Requesting => MAX_CREATE_TRIES,
            _ => MAX_TRIES,
        };
        if self.tries < most {
            return self.describe();
        }
        let silent = |what: &str| format!("{what} has not answered");
        match step {
            Step::Starting => self.finish(Outcome::Failed(silent("AWS IoT Jobs"))),
            Step::Requesting => self.fail(silent("AWS's certificate rotator")),
            Step::Committing { .. } => self.go_back(step, silent("AWS's certificate rotator"), false),
            Step::Succeeding => self.finish(Outcome::Succeeded),
            Step::Failing { reason } => self.finish(Outcome::Failed(reason)),
            Step::Installing { .. } | Step::Proving { .. } | Step::Returning { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
