//! The state machine of enrolment: what is requested, when the next attempt is due, and why the last one has failed.
//!
//! It holds no timer, no socket and no key. Every decision follows from the current certificate and a small record on disk, which is
//! written before a request is sent and after its answer is processed. After a power cut between any two steps, either the same request is
//! repeated, or the new certificate is already installed and nothing is left to do.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::credential::CredentialKind;
use super::failure::{Failure, FailureKind};
use super::problems::{expired_without_bootstrap, late, no_bootstrap, no_renewal, secret_used_up};
use super::record::{Purpose, Record, StoredProblem};
use super::schedule::{RetryReason, Validity, retry_wait};
use super::texts::MethodTexts;
use crate::cloud::state_file::StateFile;
use crate::problem::Problem;

/// No wait exceeds this, neither the back-off nor what the issuer asks for.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);
/// An attempt scheduled further ahead than this was scheduled with a wrong clock. It is an hour more than [`MAX_WAIT`], so that a small
/// correction of the clock causes no attempt.
const MAX_PLAUSIBLE_WAIT: Duration = Duration::from_secs(25 * 3600);

/// The certificate in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentCertificate<'a> {
    /// Its ID, as AWS IoT has it: the SHA-256 of its DER in hex.
    pub id: &'a str,
    /// The thing name.
    pub thing_name: &'a str,
    /// Its validity.
    pub validity: Validity,
}

/// The inputs of the next step, besides the record.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The certificate in use, expired or not.
    pub certificate: Option<CurrentCertificate<'a>>,
    /// The kind of credential for a first enrolment, if one is configured.
    pub bootstrap: Option<CredentialKind>,
    /// The kind of credential for a renewal, if there is one.
    pub renewal: Option<CredentialKind>,
    /// The words of the configured method in problems.
    pub texts: &'static MethodTexts,
    /// The current time; `None` while the clock is unset.
    pub now: Option<SystemTime>,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait: while the clock is unset, the validity of certificates cannot be checked.
    WaitForClock,
    /// Nothing to do before this time.
    Sleep(SystemTime),
    /// Request a certificate now, with this kind of credential.
    Request(Purpose, CredentialKind),
    /// An operator must change something first.
    NeedsOperator(Problem),
}

/// The progress of a request, for the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The purpose of the requested certificate.
    pub purpose: Purpose,
    /// When it was first requested.
    pub since: SystemTime,
    /// The time of the next attempt.
    pub next_attempt: SystemTime,
    /// Failed attempts in a row.
    pub failures: u32,
    /// Why the last attempt failed; `None` before the first one has ended.
    pub problem: Option<Problem>,
}

/// The state machine and its record.
#[derive(Debug)]
pub struct Enrolment {
    file: StateFile<Record>,
    record: Option<Record>,
    /// Whether to make the next attempt without waiting.
    skip_wait: bool,
    /// Whether to renew a certificate that is not due yet.
    renew_early: bool,
    random: fastrand::Rng,
}

impl Enrolment {
    /// Restores the state machine from the record at `path`. If the record cannot be read, the request starts over: the count of failures
    /// and the last problem are lost, and so is a renewal that was requested before it was due.
    pub fn load(path: PathBuf, random: fastrand::Rng) -> Self {
        let file = StateFile::new(
            path,
            "enrolment",
            "after a restart the waits between attempts start over",
        );
        let mut record: Option<Record> = file.read();
        // The issuer may have answered a request during which the process ended, and a secret that works once may be used up.
        if let Some(record) = record.as_mut().filter(|record| record.is_outstanding) {
            record.is_outstanding = false;
            record.answer_was_lost = true;
        }
        Self {
            file,
            record,
            skip_wait: false,
            renew_early: false,
            random,
        }
    }

    /// Makes the following step a request, whether one is due or not. `gatepost renew` calls it.
    pub fn request_now(&mut self) {
        self.skip_wait = true;
        self.renew_early = true;
    }

    /// Ends the wait before the next attempt, if one is scheduled: the cause of a failure may be gone.
    pub fn retry_now(&mut self) {
        self.skip_wait = true;
    }

    /// Decides the next step, and begins or removes the record accordingly.
    pub fn next_step(&mut self, situation: &Situation) -> Step {
        let Some(now) = situation.now else {
            return Step::WaitForClock;
        };
        let skip_wait = std::mem::take(&mut self.skip_wait);
        let renew_early = std::mem::take(&mut self.renew_early);
        let purpose = match self.due_purpose(situation, now, renew_early) {
            Ok(purpose) => purpose,
            Err(renewal_time) => {
                // The record belongs to the request for the certificate that is now in use.
                self.clear();
                return Step::Sleep(renewal_time);
            }
        };
        let credential = match choose_credential(purpose, situation) {
            Ok(credential) => credential,
            Err(problem) => return Step::NeedsOperator(problem),
        };
        let certificate = situation.certificate.map(|current| current.id);
        let is_same_request =
            |record: &Record| record.purpose == purpose && record.certificate.as_deref() == certificate;
        if !self.record.as_ref().is_some_and(is_same_request) {
            self.set(Record::begin(purpose, certificate, now));
        }
        match self.next_attempt(now) {
            Some(next) if !skip_wait => Step::Sleep(next),
            _ => Step::Request(purpose, credential),
        }
    }

    /// Returns the purpose of the request that is due.
    ///
    /// # Errors
    /// With the time at which a renewal will be due, if nothing is.
    fn due_purpose(&self, situation: &Situation, now: SystemTime, renew_early: bool) -> Result<Purpose, SystemTime> {
        let Some(current) = situation.certificate else {
            return Ok(Purpose::First);
        };
        // Issuers refuse an expired certificate in the TLS handshake, so it cannot authenticate its own renewal.
        if current.validity.has_expired(now) {
            return Ok(Purpose::Replacement);
        }
        // The thing name spreads the renewals of a fleet.
        let renewal_time = current.validity.renewal(current.thing_name);
        // `renew_early` holds for one step only, but the renewal that it has begun goes on.
        let has_begun = self.record.as_ref().is_some_and(|record| {
            record.purpose == Purpose::Renewal && record.certificate.as_deref() == Some(current.id)
        });
        match now >= renewal_time || renew_early || has_begun {
            true => Ok(Purpose::Renewal),
            false => Err(renewal_time),
        }
    }

    /// Returns when the next attempt is due, if that is in the future and within [`MAX_PLAUSIBLE_WAIT`].
    fn next_attempt(&self, now: SystemTime) -> Option<SystemTime> {
        let next = self.record.as_ref()?.next()?;
        let wait = next.duration_since(now).ok()?;
        (!wait.is_zero() && wait < MAX_PLAUSIBLE_WAIT).then_some(next)
    }

    /// Records that a request is about to be sent. From here on, an answer may be lost.
    pub fn begin_attempt(&mut self) {
        self.change(|record| record.is_outstanding = true);
    }

    /// Records that the issuer has the request under review, and wants it again after this time (EST: 202 with `Retry-After`, RFC 7030,
    /// 4.2.3).
    pub fn record_pending(&mut self, wait: Duration, texts: &MethodTexts, now: SystemTime) {
        let next = now + wait.min(MAX_WAIT);
        self.change(|record| {
            record.is_outstanding = false;
            record.failures = 0;
            record.set_next(next);
            record.problem = Some(StoredProblem::pending(texts));
        });
    }

    /// Records that the attempt brought no certificate, or an unusable one. `validity` is that of the certificate in use.
    pub fn record_failure(
        &mut self,
        failure: &Failure,
        credential: CredentialKind,
        validity: Option<&Validity>,
        now: SystemTime,
    ) {
        let Some(record) = self.record.clone() else {
            return;
        };
        let failures = record.failures.saturating_add(1);
        let reason = match failure.kind {
            FailureKind::Unreachable | FailureKind::AnswerLost | FailureKind::Unavailable => RetryReason::Failure,
            FailureKind::Unauthorized | FailureKind::Refused => RetryReason::Refusal,
        };
        let wait = retry_wait(failures, reason, validity, now, &mut self.random);
        let wait = wait.max(failure.retry_after.unwrap_or_default()).min(MAX_WAIT);
        // A secret that works once is refused after the issuer has answered a request whose answer was lost.
        let may_be_used_up =
            record.answer_was_lost && failure.kind == FailureKind::Unauthorized && credential == CredentialKind::Secret;
        let problem = if may_be_used_up {
            secret_used_up(&failure.problem)
        } else {
            failure.problem.clone()
        };
        self.change(|record| {
            record.is_outstanding = false;
            record.answer_was_lost |= failure.kind == FailureKind::AnswerLost;
            record.failures = failures;
            record.set_next(now + wait);
            record.problem = Some(StoredProblem::from(&problem));
        });
    }

    /// Records that the certificate is installed.
    pub fn record_success(&mut self) {
        self.clear();
    }

    /// Returns the progress of the request; `None` if there is none.
    pub fn progress(&self, situation: &Situation) -> Option<Progress> {
        let record = self.record.as_ref()?;
        let now = situation.now?;
        let problem = record.problem.as_ref().map(StoredProblem::problem);
        let current = situation.certificate.filter(|_| record.purpose == Purpose::Renewal);
        let overdue = current.filter(|current| now >= current.validity.attention(current.thing_name));
        Some(Progress {
            purpose: record.purpose,
            since: record.since().min(now),
            next_attempt: self.next_attempt(now).unwrap_or(now),
            failures: record.failures,
            problem: match overdue {
                Some(current) => problem.map(|problem| late(problem, current.validity.not_after, situation.texts)),
                None => problem,
            },
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut Record)) {
        if let Some(mut record) = self.record.clone() {
            change(&mut record);
            self.set(record);
        }
    }

    fn set(&mut self, record: Record) {
        self.file.write(&record);
        self.record = Some(record);
    }

    fn clear(&mut self) {
        if self.record.take().is_some() {
            self.file.remove();
        }
    }
}

/// Returns the kind of credential for a request.
///
/// # Errors
/// If there is none.
fn choose_credential(purpose: Purpose, situation: &Situation) -> Result<CredentialKind, Problem> {
    let texts = situation.texts;
    match purpose {
        Purpose::First => situation.bootstrap.ok_or_else(|| no_bootstrap(texts)),
        Purpose::Replacement => situation.bootstrap.ok_or_else(|| expired_without_bootstrap(texts)),
        Purpose::Renewal => situation.renewal.ok_or_else(|| no_renewal(texts)),
    }
}

#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod tests;
