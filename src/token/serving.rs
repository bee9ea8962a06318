//! Serves requests with an open token: finds keys and makes signatures, and reopens a token that has lost its state.

use std::time::Instant;

use log::Level;

use super::error::TokenError;
use super::open_token::OpenToken;
use super::request::{Operation, Reply, UseRequest};
use super::thread::{Owner, State};
use super::time_limits::{GENERATION_TIMEOUT, OPERATION_TIMEOUT};
use crate::event::{Event, journal};
use crate::problem::{Exit, Problem};
use crate::status::TokenPhase;

impl Owner {
    /// Serves a request. A token that has lost its state is reopened and tried once more.
    pub(super) fn serve(&mut self, mut token: OpenToken, request: UseRequest) -> State {
        match self.perform(&mut token, &request.operation) {
            // A token that was pulled out is reopened just like one that was reset.
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                let problem = self.judge_failure(&request.operation, problem);
                journal!(Level::Warn, Event::TokenFault; "{problem}");
                self.heartbeat.excused(OPERATION_TIMEOUT, || token.close());
                match self.reopen_limit.try_reopen() {
                    Ok(()) => self.serve_after_reopening(request),
                    Err(next) => self.refuse_until(request, problem, next),
                }
            }
            outcome => self.finish(token, request, outcome),
        }
    }

    fn serve_after_reopening(&mut self, request: UseRequest) -> State {
        let mut token = match self.open() {
            State::Open(token) => token,
            State::Closed { again, why } => {
                request.refuse(&why);
                return State::Closed { again, why };
            }
        };
        match self.perform(&mut token, &request.operation) {
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                let problem = self.judge_failure(&request.operation, problem);
                self.heartbeat.excused(OPERATION_TIMEOUT, || token.close());
                self.refuse_until(request, problem, self.reopen_limit.next())
            }
            outcome => self.finish(token, request, outcome),
        }
    }

    /// Refuses the request and keeps the token closed until it may be reopened.
    fn refuse_until(&self, request: UseRequest, problem: Problem, next: Instant) -> State {
        request.refuse(&problem);
        self.close_until(next, problem)
    }

    /// Replies with the result, or with an error that is not a failure of the device.
    fn finish(&mut self, token: OpenToken, request: UseRequest, outcome: Result<Reply, TokenError>) -> State {
        match outcome {
            // Each further signature would try the PIN again.
            Err(TokenError::Final(Exit::Pin, problem)) => {
                self.heartbeat.excused(OPERATION_TIMEOUT, || token.close());
                request.refuse(&problem);
                self.report_closed(TokenError::Final(Exit::Pin, problem), true)
            }
            outcome => {
                request.reply(outcome);
                State::Open(token)
            }
        }
    }

    /// Returns the problem to show for an operation that the device did not carry out.
    fn judge_failure(&mut self, operation: &Operation, problem: Problem) -> Problem {
        match operation {
            Operation::Sign { .. } => self.record.not_signed(problem),
            Operation::Find(_) | Operation::Generate(..) => problem,
        }
    }

    fn perform(&mut self, token: &mut OpenToken, operation: &Operation) -> Result<Reply, TokenError> {
        let (heartbeat, pin, logins) = (&self.heartbeat, &self.pin, &mut self.logins);
        match operation {
            Operation::Find(name) => {
                let found = heartbeat.excused(OPERATION_TIMEOUT, || token.find(name, pin, logins))?;
                self.announce_keys(token);
                Ok(found.map_or_else(Reply::Missing, Reply::Found))
            }
            Operation::Generate(name, algorithm) => {
                let made = heartbeat.excused(GENERATION_TIMEOUT, || token.generate(name, *algorithm, pin, logins))?;
                self.announce_keys(token);
                Ok(Reply::Found(made))
            }
            Operation::Sign {
                key,
                name,
                scheme,
                message,
            } => {
                let started = Instant::now();
                let signature = heartbeat.excused(OPERATION_TIMEOUT, || {
                    token.sign(key, name, (*scheme, message), pin, logins)
                })?;
                self.count_signature(started);
                Ok(Reply::Signature(signature))
            }
        }
    }

    fn count_signature(&mut self, started: Instant) {
        let duration = started.elapsed();
        self.key_checks.passed();
        self.reporter.details(|details| {
            details.signatures += 1;
            details.latencies.observe(duration);
        });
        if self.record.signed() {
            self.reporter.report(TokenPhase::Ready, None);
        }
    }
}
