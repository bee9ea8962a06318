//! The state machine of enrolment: what is requested, when the next attempt is due, and why there is no certificate yet.
//!
//! It holds no timer, no socket and no key. Every decision follows from the current certificate and a small record on disk, which is
//! written before a request is sent and after its answer is processed. After a power cut between any two steps, either the same request is
//! repeated or the work is found done.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::credential::Credential;
use super::failure::{Failure, FailureKind};
use super::problems::{expired_without_bootstrap, late, no_bootstrap, no_renewal, secret_used_up};
use super::record::{Purpose, Record, Refusal};
use super::schedule::{RetryReason, Validity, retry_wait};
use super::texts::MethodTexts;
use crate::cloud::state_file::StateFile;
use crate::problem::Problem;

/// Maximum wait.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// An attempt scheduled further ahead than this was scheduled with a wrong clock.
const OTHER_CLOCK: Duration = Duration::from_secs(25 * 3600);

/// The certificate in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current<'a> {
    /// Its ID.
    pub id: &'a str,
    /// The thing name.
    pub thing_name: &'a str,
    /// Its validity.
    pub validity: Validity,
}

/// Everything that the next step depends on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The certificate in use, expired or not.
    pub certificate: Option<Current<'a>>,
    /// The credential for a first enrolment, if one is configured.
    pub bootstrap: Option<Credential>,
    /// The credential for a renewal, if there is one.
    pub renewal: Option<Credential>,
    /// Texts about the configured method.
    pub texts: &'static MethodTexts,
    /// The current time; `None` while the clock is unset.
    pub now: Option<SystemTime>,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait: the clock is unset, so neither the server's certificate nor the gateway's can be verified.
    WaitForClock,
    /// Nothing to do before this time.
    Sleep(SystemTime),
    /// Request a certificate now, with this credential.
    Ask(Purpose, Credential),
    /// Only a person can help.
    NeedsPerson(Problem),
}

/// The progress of a request, for the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The purpose of the requested certificate.
    pub purpose: Purpose,
    /// When it was first requested.
    pub since: SystemTime,
    /// The time of the next attempt.
    pub next: SystemTime,
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
    /// Restores the state machine from the record at `path`. If the record cannot be read, only the waits are lost.
    pub fn load(path: PathBuf, random: fastrand::Rng) -> Self {
        let file = StateFile::new(
            path,
            "enrolment",
            "after a restart the waits between attempts start over",
        );
        let mut record: Option<Record> = file.read();
        if let Some(record) = &mut record
            && std::mem::take(&mut record.is_outstanding)
        {
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

    /// Requests a new certificate now, whether one is due or not. Called for an operator.
    pub fn ask_now(&mut self) {
        self.skip_wait = true;
        self.renew_early = true;
    }

    /// Makes the next attempt now, if one is scheduled: the cause of a failure may be gone.
    pub fn retry_now(&mut self) {
        self.skip_wait = true;
    }

    /// Decides the next step.
    pub fn next(&mut self, situation: &Situation) -> Step {
        let Some(now) = situation.now else {
            return Step::WaitForClock;
        };
        let skip_wait = std::mem::take(&mut self.skip_wait);
        let renew_early = std::mem::take(&mut self.renew_early);
        let (purpose, credential) = match self.purpose(situation, now, renew_early) {
            Ok(found) => found,
            Err(step) => return step,
        };
        let certificate = situation.certificate.map(|current| current.id);
        let fits = |record: &Record| record.purpose == purpose && record.certificate.as_deref() == certificate;
        if !self.record.as_ref().is_some_and(fits) {
            self.set(Record::begin(purpose, certificate, now));
        }
        match self.next_attempt(now) {
            Some(next) if !skip_wait => Step::Sleep(next),
            _ => Step::Ask(purpose, credential),
        }
    }

    fn purpose(
        &mut self,
        situation: &Situation,
        now: SystemTime,
        renew_early: bool,
    ) -> Result<(Purpose, Credential), Step> {
        let texts = situation.texts;
        let with = |purpose, credential: Option<Credential>, missing: fn(&MethodTexts) -> Problem| match credential {
            Some(credential) => Ok((purpose, credential)),
            None => Err(Step::NeedsPerson(missing(texts))),
        };
        let Some(current) = situation.certificate else {
            return with(Purpose::First, situation.bootstrap, no_bootstrap);
        };
        if current.validity.has_expired(now) {
            return with(Purpose::Replacement, situation.bootstrap, expired_without_bootstrap);
        }
        let renewal = current.validity.renewal(current.thing_name);
        let has_begun = self.record.as_ref().is_some_and(|record| {
            record.purpose == Purpose::Renewal && record.certificate.as_deref() == Some(current.id)
        });
        if now >= renewal || renew_early || has_begun {
            return with(Purpose::Renewal, situation.renewal, no_renewal);
        }
        // The earlier request has been fulfilled.
        self.clear();
        Err(Step::Sleep(renewal))
    }

    /// Returns when the next attempt is due, if that is in the future. A time beyond the maximum wait was written with a wrong clock.
    fn next_attempt(&self, now: SystemTime) -> Option<SystemTime> {
        let next = self.record.as_ref()?.next()?;
        let wait = next.duration_since(now).ok()?;
        (!wait.is_zero() && wait < OTHER_CLOCK).then_some(next)
    }

    /// Records that a request is about to be sent. From here on, an answer may be lost.
    pub fn begin_attempt(&mut self) {
        self.change(|record| record.is_outstanding = true);
    }

    /// Records that the issuer wants the same request again after this time.
    pub fn wait(&mut self, wait: Duration, texts: &MethodTexts, now: SystemTime) {
        let next = now + wait.min(LONGEST_WAIT);
        self.change(|record| {
            record.is_outstanding = false;
            record.failures = 0;
            record.set_next(next);
            record.refusal = Some(Refusal::waiting(texts));
        });
    }

    /// Records that the attempt brought no certificate, or an unusable one. `validity` is that of the certificate in use.
    pub fn fail(&mut self, failure: &Failure, credential: Credential, validity: Option<&Validity>, now: SystemTime) {
        let Some(record) = self.record.clone() else {
            return;
        };
        let failures = record.failures.saturating_add(1);
        let reason = match failure.kind {
            FailureKind::Unreachable | FailureKind::AnswerLost | FailureKind::Unavailable => RetryReason::Failure,
            FailureKind::Unauthorized | FailureKind::Refused => RetryReason::Refusal,
        };
        let wait = retry_wait(failures, reason, validity, now, &mut self.random);
        let wait = wait.max(failure.not_before.unwrap_or_default()).min(LONGEST_WAIT);
        let used_up =
            record.answer_was_lost && failure.kind == FailureKind::Unauthorized && credential == Credential::Secret;
        let problem = match used_up {
            true => secret_used_up(&failure.problem),
            false => failure.problem.clone(),
        };
        self.change(|record| {
            record.is_outstanding = false;
            record.answer_was_lost |= failure.kind == FailureKind::AnswerLost;
            record.failures = failures;
            record.set_next(now + wait);
            record.refusal = Some(Refusal::from(&problem));
        });
    }

    /// Records that the certificate is installed.
    pub fn succeed(&mut self) {
        self.clear();
    }

    /// Returns the progress of the request; `None` if there is none.
    pub fn progress(&self, situation: &Situation) -> Option<Progress> {
        let record = self.record.as_ref()?;
        let now = situation.now?;
        let problem = record.refusal.as_ref().map(Refusal::problem);
        let current = situation.certificate.filter(|_| record.purpose == Purpose::Renewal);
        let is_late = current.filter(|current| now >= current.validity.attention(current.thing_name));
        Some(Progress {
            purpose: record.purpose,
            since: record.since().min(now),
            next: self.next_attempt(now).unwrap_or(now),
            failures: record.failures,
            problem: match is_late {
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

#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod tests;
