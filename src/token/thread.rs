//! The thread that owns the module. It serves requests with an open token, reopens a token that has lost its state, and regularly checks
//! that the keys of an open token are still there.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use log::Level;

use super::algorithm::Generate;
use super::config::TokenConfig;
use super::error::TokenError;
use super::key_checks::KeyChecks;
use super::login::Logins;
use super::open_token::OpenToken;
use super::pin::PinSource;
use super::reopen_limit::{REOPEN_INTERVAL, ReopenLimit};
use super::reports::Reports;
use super::request::{Operation, Reply, Request, UseRequest};
use super::retry_schedule::{CHECK_INTERVAL, RetrySchedule};
use super::time_limits::{GENERATION_TIMEOUT, OPEN_TIMEOUT, OPERATION_TIMEOUT};
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::problem::{Exit, Problem};

/// The token thread: its channels, and what it remembers between two openings of the token.
pub(super) struct Owner {
    pub(super) config: TokenConfig,
    pub(super) pin: PinSource,
    pub(super) requests: Receiver<Request>,
    pub(super) reports: Reports,
    pub(super) reopen_limit: ReopenLimit,
    pub(super) last_opening: Option<Instant>,
    pub(super) logins: Logins,
    pub(super) retry_schedule: RetrySchedule,
    pub(super) key_checks: KeyChecks,
    pub(super) heartbeat: Heartbeat,
}

/// The state of the token.
enum State {
    /// Open.
    Open(OpenToken),
    /// Closed, to be tried again at the given time, or never.
    Closed { again: Option<Instant>, why: Problem },
}

impl Owner {
    /// Runs until the last [`Token`](super::Token) is dropped or requests the end.
    pub(super) fn run(mut self) {
        let mut state = self.open();
        loop {
            // Each completed request proves that the thread is alive, whatever else waits in the queue.
            self.heartbeat.beat();
            state = match state {
                State::Open(token) => match self.key_checks.receive_until_due(&self.requests) {
                    Ok(Some(Request::Use(request))) => self.serve(token, request),
                    Ok(Some(Request::Beat)) => State::Open(token),
                    Ok(Some(Request::Retry) | None) => self.check_keys(token),
                    Ok(Some(Request::Stop)) | Err(_) => return token.close(),
                },
                State::Closed { again, why } => {
                    match self
                        .retry_schedule
                        .receive_until(again, &self.requests, &self.config.certificate)
                    {
                        Ok(Some(Request::Use(request))) => {
                            request.refuse(&why);
                            State::Closed { again, why }
                        }
                        Ok(Some(Request::Beat)) => State::Closed { again, why },
                        Ok(Some(Request::Retry)) => State::Closed {
                            again: again.map(|planned| self.bring_forward(planned)),
                            why,
                        },
                        Ok(None) => self.open(),
                        Ok(Some(Request::Stop)) | Err(_) => return,
                    }
                }
            };
        }
    }

    /// Checks that the keys are still in the token. A token without the device's is reopened, so that the status reports the loss
    /// before the next connection needs a signature.
    fn check_keys(&mut self, mut token: OpenToken) -> State {
        let outcome = self
            .heartbeat
            .excused(OPERATION_TIMEOUT, || self.key_checks.run(|| token.check_keys()));
        let state = match outcome {
            Ok(()) => {
                self.reports.keys_found(token.device_keys());
                State::Open(token)
            }
            // The key still signs, but the token could not be opened again in this state.
            Err(TokenError::Final(_, problem)) => {
                self.reports.ready_with(problem);
                State::Open(token)
            }
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                journal!(Level::Warn, Event::TokenFault; "token: {problem}");
                self.heartbeat.excused(OPERATION_TIMEOUT, || token.close());
                match self.reopen_limit.try_reopen() {
                    Ok(()) => self.open(),
                    Err(next) => self.close_until(next, problem),
                }
            }
        };
        self.reports.count_check();
        state
    }

    /// Returns the time of the next attempt after an operator's request: now, unless the last attempt was a moment ago.
    fn bring_forward(&self, planned: Instant) -> Instant {
        self.last_opening
            .map_or(planned, |last| planned.min(last + CHECK_INTERVAL))
    }

    fn open(&mut self) -> State {
        // A key that has disappeared is a fault to be reported. It must not be hidden by generating another one.
        if self.reports.has_shown_key() {
            self.config.generate = Generate::Never;
        }
        let heartbeat = self.heartbeat.clone();
        let logins = self.logins.successes();
        let opened = heartbeat.excused(OPEN_TIMEOUT, || {
            OpenToken::open(&self.config, &self.pin, &mut self.logins, &heartbeat)
        });
        self.last_opening = Some(Instant::now());
        match opened {
            Ok(mut token) => {
                self.retry_schedule.opened();
                self.key_checks.opened(|| token.check_keys());
                self.reports.opened(token.device_keys(), token.warning());
                State::Open(token)
            }
            Err(error) => {
                let has_logged_in = self.logins.successes() > logins;
                let state = self.report_closed(error, has_logged_in);
                self.reports.count_failed_opening();
                state
            }
        }
    }

    /// Reports why the token is closed, and decides when to try again.
    fn report_closed(&mut self, error: TokenError, has_logged_in: bool) -> State {
        let error = self.reports.closed(error);
        let again = match &error {
            TokenError::Final(..) => None,
            TokenError::Absent(_) => {
                Some(Instant::now() + self.retry_schedule.next_wait(has_logged_in, &self.config.certificate))
            }
            TokenError::Device(_) => Some(Instant::now() + REOPEN_INTERVAL),
        };
        State::Closed {
            again,
            why: error.problem().clone(),
        }
    }

    fn close_until(&self, again: Instant, problem: Problem) -> State {
        self.reports.waiting(problem.clone());
        State::Closed {
            again: Some(again),
            why: problem,
        }
    }

    /// Serves a request. A token that has lost its state is reopened and tried once more.
    fn serve(&mut self, mut token: OpenToken, request: UseRequest) -> State {
        match self.perform(&mut token, &request.operation) {
            // A token that was pulled out is reopened just like one that was reset.
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                let problem = self.reports.judge_failure(&request.operation, problem);
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
                let problem = self.reports.judge_failure(&request.operation, problem);
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

    fn perform(&mut self, token: &mut OpenToken, operation: &Operation) -> Result<Reply, TokenError> {
        let (heartbeat, pin, logins) = (&self.heartbeat, &self.pin, &mut self.logins);
        match operation {
            Operation::Find(name) => {
                let found = heartbeat.excused(OPERATION_TIMEOUT, || token.find(name, pin, logins))?;
                self.reports.announce_keys(token.device_keys());
                Ok(found.map_or_else(Reply::Missing, Reply::Found))
            }
            Operation::Generate(name, algorithm) => {
                let made = heartbeat.excused(GENERATION_TIMEOUT, || token.generate(name, *algorithm, pin, logins))?;
                self.reports.announce_keys(token.device_keys());
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
                self.key_checks.passed();
                self.reports.signed(started);
                Ok(Reply::Signature(signature))
            }
        }
    }
}
