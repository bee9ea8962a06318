//! The state machine of a rotation: it decides what each message means and which actions follow, without input and output.
//!
//! Whenever a step continues after an interruption, the machine first asks for the job, because the job may have ended or may have
//! progressed further than the record says.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::action::{Action, Outcome};
use super::messages::{Incoming, describe_topic};
use super::progress::RotationProgress;
use super::record::{Record, Step};

/// Longest wait for a connection with the new certificate. The rotator's job template ends a job after five minutes.
const PROOF_TIMEOUT: Duration = Duration::from_secs(4 * 60);
/// Number of unanswered requests after which a step is given up.
const MAX_TRIES: u32 = 3;
/// The same for `create`.
const MAX_CREATE_TRIES: u32 = 2;

/// The machine.
#[derive(Debug)]
pub(super) struct Rotation {
    progress: RotationProgress,
    /// The certificate of the open connection.
    connection: Option<String>,
}

impl Rotation {
    /// Creates the machine from the record at `path`.
    pub(super) fn load(path: PathBuf) -> Self {
        let mut progress = RotationProgress::load(path);
        match progress.step() {
            Some(Step::Installing { certificate, .. }) => progress.actions.push(Action::Install { certificate }),
            Some(Step::Returning { previous, .. }) => progress.actions.push(Action::Restore { previous }),
            Some(Step::Proving { .. }) => progress.deadline = Some(Instant::now() + PROOF_TIMEOUT),
            _ => {}
        }
        Self {
            progress,
            connection: None,
        }
    }

    /// Returns the record of the running rotation.
    pub(super) fn record(&self) -> Option<&Record> {
        self.progress.record.as_ref()
    }

    /// Returns when [`time_up`](Self::time_up) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.progress.deadline
    }

    /// Returns the due actions in their order, and removes them.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.progress.actions)
    }

    /// Handles a message that could not be sent: the machine asks for the job again at the time `again`.
    pub(super) fn not_sent(&mut self, again: Instant) {
        if self.connection.is_some() && self.progress.record.is_some() {
            self.progress.deadline = Some(again);
            self.progress.tries = self.progress.tries.saturating_sub(1);
        }
    }

    /// Handles a new connection as `thing` with this certificate.
    pub(super) fn connected(&mut self, thing: &str, certificate: &str) {
        self.connection = Some(certificate.to_owned());
        if self
            .progress
            .record
            .as_ref()
            .is_some_and(|record| record.thing != thing)
        {
            self.progress.forget();
        }
        let Some(record) = self.progress.record.clone() else {
            self.progress.deadline = None;
            return self.progress.publish(describe_topic(thing, "$next"), "{}".to_owned());
        };
        match record.step {
            Step::Proving {
                certificate_id,
                previous,
            } if certificate_id == certificate => {
                self.progress.go_to(Step::Committing {
                    certificate_id,
                    previous,
                });
                self.progress.commit();
            }
            Step::Committing {
                certificate_id,
                previous,
            } if certificate_id != certificate => {
                self.progress.go_to(Step::Proving {
                    certificate_id,
                    previous,
                });
                self.progress.deadline = Some(Instant::now() + PROOF_TIMEOUT);
            }
            Step::Returning {
                certificate_id,
                reason,
                has_ended,
                ..
            } if certificate_id != certificate => self.progress.returned(reason, has_ended),
            Step::Installing { .. } | Step::Proving { .. } | Step::Returning { .. } => {}
            _ => self.progress.describe(),
        }
    }

    /// Handles the end of the connection. The machine no longer waits for pending answers.
    pub(super) fn disconnected(&mut self) {
        self.connection = None;
        let is_proving = self
            .progress
            .record
            .as_ref()
            .is_some_and(|record| matches!(record.step, Step::Proving { .. }));
        if !is_proving {
            self.progress.deadline = None;
        }
    }

    /// Handles a message. `previous` is the content of the certificate file, and `now` is in seconds since 1970.
    pub(super) fn receive(&mut self, thing: &str, incoming: Incoming, previous: Option<String>, now: u64) {
        let Some(record) = self.progress.record.clone() else {
            return match incoming {
                Incoming::Next(Some(job)) | Incoming::Described(job) => self.progress.consider(thing, job, now),
                _ => {}
            };
        };
        let is_about = |job: &str| job == record.job;
        match (incoming, record.step) {
            (Incoming::Next(job), _) if job.as_ref().is_none_or(|job| !is_about(&job.id)) => {
                // The job may have been cancelled.
                self.progress
                    .publish(describe_topic(&record.thing, &record.job), "{}".to_owned());
            }
            (Incoming::Described(job), step) if is_about(&job.id) => self.progress.go_on(&job, step),
            (Incoming::NotDescribed(job), step) if is_about(&job) => self.progress.ended(step),
            (Incoming::Updated(job), Step::Starting) if is_about(&job) => self.progress.request(),
            (Incoming::Updated(job) | Incoming::NotUpdated(job), Step::Succeeding) if is_about(&job) => {
                self.progress.finish(Outcome::Succeeded);
            }
            (Incoming::Updated(job) | Incoming::NotUpdated(job), Step::Failing { reason }) if is_about(&job) => {
                self.progress.finish(Outcome::Failed(reason));
            }
            (Incoming::NotUpdated(job), step @ Step::Starting) if is_about(&job) => self.progress.ended(step),
            (Incoming::Created(certificate), Step::Requesting) => match previous {
                Some(previous) => {
                    let action = Action::Install {
                        certificate: certificate.clone(),
                    };
                    self.progress.go_to(Step::Installing { certificate, previous });
                    self.progress.deadline = None;
                    self.progress.actions.push(action);
                }
                None => self
                    .progress
                    .fail("the file with the previous certificate cannot be read".to_owned()),
            },
            (Incoming::NotCreated(why), Step::Requesting) => {
                self.progress
                    .fail(format!("AWS's certificate rotator has refused the request ({why})"));
            }
            (Incoming::Committed, Step::Committing { .. }) => {
                self.progress.go_to(Step::Succeeding);
                self.progress.describe();
            }
            (Incoming::NotCommitted(why), step @ Step::Committing { .. }) => {
                let reason = format!("AWS's certificate rotator has not accepted the new certificate ({why})");
                self.progress.go_back(step, reason, false);
            }
            _ => {}
        }
    }

    /// Continues after the new certificate was installed.
    pub(super) fn installed(&mut self, certificate_id: &str) {
        let Some(Step::Installing { previous, .. }) = self.progress.step() else {
            return;
        };
        let certificate_id = certificate_id.to_owned();
        if self.connection.as_ref() == Some(&certificate_id) {
            self.progress.go_to(Step::Committing {
                certificate_id,
                previous,
            });
            return self.progress.commit();
        }
        self.progress.go_to(Step::Proving {
            certificate_id,
            previous,
        });
        self.progress.deadline = Some(Instant::now() + PROOF_TIMEOUT);
    }

    /// Continues after the previous certificate was restored.
    pub(super) fn restored(&mut self) {
        if let Some(Step::Returning {
            certificate_id,
            reason,
            has_ended,
            ..
        }) = self.progress.step()
            && self
                .connection
                .as_ref()
                .is_some_and(|connection| *connection != certificate_id)
        {
            self.progress.returned(reason, has_ended);
        }
    }

    /// Ends a rotation that cannot continue. The previous certificate is still in use.
    pub(super) fn fail(&mut self, reason: String) {
        self.progress.fail(reason);
    }

    /// Handles a deadline that has passed.
    pub(super) fn time_up(&mut self) {
        self.progress.deadline = None;
        let Some(step) = self.progress.step() else {
            return;
        };
        if let Step::Proving { .. } = step {
            let reason = format!(
                "AWS has accepted no connection with the new certificate within {} s",
                PROOF_TIMEOUT.as_secs()
            );
            return self.progress.go_back(step, reason, false);
        }
        self.progress.tries += 1;
        let most = match step {
            Step::Requesting => MAX_CREATE_TRIES,
            _ => MAX_TRIES,
        };
        if self.progress.tries < most {
            return self.progress.describe();
        }
        let silent = |what: &str| format!("{what} has not answered");
        match step {
            Step::Starting => self.progress.finish(Outcome::Failed(silent("AWS IoT Jobs"))),
            Step::Requesting => self.progress.fail(silent("AWS's certificate rotator")),
            Step::Committing { .. } => self.progress.go_back(step, silent("AWS's certificate rotator"), false),
            Step::Succeeding => self.progress.finish(Outcome::Succeeded),
            Step::Failing { reason } => self.progress.finish(Outcome::Failed(reason)),
            Step::Installing { .. } | Step::Proving { .. } | Step::Returning { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
