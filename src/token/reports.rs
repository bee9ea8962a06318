//! Reports the token's state to the rest of the daemon: its status, its keys, and a problem that ends the daemon.

use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::error::TokenError;
use super::named_key::FoundKey;
use super::record::Record;
use super::request::Operation;
use crate::problem::{Exit, Fatal, Problem};
use crate::status::{Reporter, TokenDetails, TokenPhase};

/// Reports the token's status.
pub type TokenReporter = Reporter<TokenPhase, TokenDetails>;

/// The channels to the rest of the daemon, and the record of what has succeeded, which problems are judged by.
pub(super) struct Reports {
    reporter: TokenReporter,
    device_keys: watch::Sender<Vec<FoundKey>>,
    fatal: mpsc::Sender<Fatal>,
    record: Record,
}

impl Reports {
    pub(super) fn new(
        reporter: TokenReporter,
        device_keys: watch::Sender<Vec<FoundKey>>,
        fatal: mpsc::Sender<Fatal>,
    ) -> Self {
        Self {
            reporter,
            device_keys,
            fatal,
            record: Record::new(),
        }
    }

    /// Returns whether the token has shown a key of the device in this run.
    pub(super) fn has_shown_key(&self) -> bool {
        !self.device_keys.borrow().is_empty()
    }

    /// Reports that the token is open and has these keys of the device. `warning` is about a key that works nonetheless.
    pub(super) fn opened(&mut self, keys: Vec<FoundKey>, warning: Option<&str>) {
        self.record.opened();
        let algorithm = keys.first().map(|key| key.public.algorithm.to_string());
        let complaint = self.record.complaint();
        self.reporter.report_with(TokenPhase::Ready, complaint, |details| {
            details.openings += 1;
            details.algorithm = algorithm;
            // The warning about a new key stays when the token is reopened.
            if let Some(warning) = warning {
                details.warning = Some(warning.to_owned());
            }
        });
        self.announce_keys(keys);
    }

    /// Reports that the token could not be opened or used. Returns the error with the advice that earlier failures give.
    pub(super) fn closed(&mut self, error: TokenError) -> TokenError {
        let error = match error {
            TokenError::Absent(problem) => TokenError::Absent(self.record.not_found(problem)),
            TokenError::Device(problem) => TokenError::Device(self.record.not_opened(problem)),
            error @ TokenError::Final(..) => error,
        };
        let problem = error.problem().clone();
        let TokenError::Final(exit, _) = error else {
            self.waiting(problem);
            return error;
        };
        self.reporter
            .report_with(TokenPhase::Failed, Some(problem.clone()), |details| {
                details.pin_rejected = exit == Exit::Pin;
            });
        // Before the first success no program depends on the daemon, and an exit code is clearer than a status.
        if !self.has_shown_key() {
            let _ = self.fatal.try_send(Fatal::new(exit, problem));
        }
        error
    }

    /// Reports that the token is closed for now.
    pub(super) fn waiting(&self, problem: Problem) {
        self.reporter.report(TokenPhase::Waiting, Some(problem));
    }

    /// Counts an attempt to open the token that has failed. This follows the report, because a caller that waits for the count then reads
    /// the result.
    pub(super) fn count_failed_opening(&self) {
        self.reporter.details(|details| details.openings += 1);
    }

    /// Reports that the open token still has these keys of the device.
    pub(super) fn keys_found(&self, keys: Vec<FoundKey>) {
        self.announce_keys(keys);
        self.reporter.report(TokenPhase::Ready, self.record.complaint());
    }

    /// Reports a token that works, but could not be opened again in its state.
    pub(super) fn ready_with(&self, problem: Problem) {
        self.reporter.report(TokenPhase::Ready, Some(problem));
    }

    /// Counts a check of the keys. This follows the report, because a caller that waits for the count then reads the result.
    pub(super) fn count_check(&self) {
        self.reporter.details(|details| details.checks += 1);
    }

    /// Tells everyone which keys of the device the token has.
    pub(super) fn announce_keys(&self, keys: Vec<FoundKey>) {
        self.device_keys.send_if_modified(|known| {
            let is_new = *known != keys;
            *known = keys;
            is_new
        });
    }

    /// Counts a signature that began at this time.
    pub(super) fn signed(&mut self, started: Instant) {
        let duration = started.elapsed();
        self.reporter.details(|details| {
            details.signatures += 1;
            details.latencies.observe(duration);
        });
        if self.record.signed() {
            self.reporter.report(TokenPhase::Ready, None);
        }
    }

    /// Returns the problem to show for an operation that the device did not carry out.
    pub(super) fn judge_failure(&mut self, operation: &Operation, problem: Problem) -> Problem {
        match operation {
            Operation::Sign { .. } => self.record.not_signed(problem),
            Operation::Find(_) | Operation::Generate(..) => problem,
        }
    }
}

#[cfg(test)]
mod tests;
