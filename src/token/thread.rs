//! The thread that owns the module. It waits for requests, reopens a lost token, and regularly checks that the key of an open
//! token is still there.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use log::Level;
use tokio::sync::watch;

use super::algorithm::Generate;
use super::config::TokenConfig;
use super::error::TokenError;
use super::key_checks::KeyChecks;
use super::login::Logins;
use super::named_key::FoundKey;
use super::open_token::OpenToken;
use super::pin::PinSource;
use super::record::Record;
use super::reopen_limit::{REOPEN_INTERVAL, ReopenLimit};
use super::request::Request;
use super::retry_schedule::{CHECK_INTERVAL, RetrySchedule};
use super::time_limits::{OPEN_TIMEOUT, OPERATION_TIMEOUT};
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::problem::{Exit, Fatal, Problem};
use crate::status::{Reporter, TokenDetails, TokenPhase};

/// Reports the token's status.
pub type TokenReporter = Reporter<TokenPhase, TokenDetails>;

/// The token thread: its channels, and what it remembers between two openings of the token.
pub(super) struct Owner {
    pub(super) config: TokenConfig,
    pub(super) pin: PinSource,
    pub(super) requests: Receiver<Request>,
    pub(super) reporter: TokenReporter,
    pub(super) device_keys: watch::Sender<Vec<FoundKey>>,
    pub(super) fatal: tokio::sync::mpsc::Sender<Fatal>,
    pub(super) reopen_limit: ReopenLimit,
    pub(super) last_opening: Option<Instant>,
    pub(super) logins: Logins,
    pub(super) retry_schedule: RetrySchedule,
    pub(super) key_checks: KeyChecks,
    pub(super) record: Record,
    pub(super) heartbeat: Heartbeat,
}

/// The state of the token.
pub(super) enum State {
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
                self.announce_keys(&token);
                self.reporter.report(TokenPhase::Ready, self.record.complaint());
                State::Open(token)
            }
            // The key still signs, but the token could not be opened again in this state.
            Err(TokenError::Final(_, problem)) => {
                self.reporter.report(TokenPhase::Ready, Some(problem));
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
        // Counted after the report, because a caller that waits for the count then reads the result.
        self.reporter.details(|details| details.checks += 1);
        state
    }

    /// Returns the time of the next attempt after an operator's request: now, unless the last attempt was a moment ago.
    fn bring_forward(&self, planned: Instant) -> Instant {
        self.last_opening
            .map_or(planned, |last| planned.min(last + CHECK_INTERVAL))
    }

    pub(super) fn open(&mut self) -> State {
        // A key that has disappeared is a fault to be reported. It must not be hidden by generating another one.
        if !self.device_keys.borrow().is_empty() {
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
                self.record.opened();
                self.retry_schedule.opened();
                self.key_checks.opened(|| token.check_keys());
                let algorithm = token.device_keys().first().map(|key| key.public.algorithm.to_string());
                let complaint = self.record.complaint();
                self.reporter.report_with(TokenPhase::Ready, complaint, |details| {
                    details.openings += 1;
                    details.algorithm = algorithm;
                    // The warning about a new key stays when the token is reopened.
                    if let Some(warning) = token.warning() {
                        details.warning = Some(warning.to_owned());
                    }
                });
                self.announce_keys(&token);
                State::Open(token)
            }
            Err(error) => {
                let has_logged_in = self.logins.successes() > logins;
                let state = self.report_closed(error, has_logged_in);
                // Counted after the report, because a caller that waits for the count then reads the result.
                self.reporter.details(|details| details.openings += 1);
                state
            }
        }
    }

    /// Tells everyone which keys of the device the token has.
    pub(super) fn announce_keys(&self, token: &OpenToken) {
        let keys = token.device_keys().iter().map(|key| FoundKey {
            name: key.name.clone(),
            public: key.public.clone(),
        });
        let keys: Vec<FoundKey> = keys.collect();
        self.device_keys.send_if_modified(|known| {
            let is_new = *known != keys;
            *known = keys;
            is_new
        });
    }

    /// Reports why the token is closed, and decides when to try again.
    pub(super) fn report_closed(&mut self, error: TokenError, has_logged_in: bool) -> State {
        let error = match error {
            TokenError::Absent(problem) => TokenError::Absent(self.record.not_found(problem)),
            TokenError::Device(problem) => TokenError::Device(self.record.not_opened(problem)),
            error @ TokenError::Final(..) => error,
        };
        let why = error.problem().clone();
        let again = match error {
            TokenError::Final(exit, problem) => {
                self.reporter
                    .report_with(TokenPhase::Failed, Some(problem.clone()), |details| {
                        details.pin_rejected = exit == Exit::Pin;
                    });
                // Before the first success no program depends on the daemon, and an exit code is clearer than a status.
                if self.device_keys.borrow().is_empty() {
                    let _ = self.fatal.try_send(Fatal::new(exit, problem));
                }
                None
            }
            TokenError::Absent(problem) => {
                self.reporter.report(TokenPhase::Waiting, Some(problem));
                Some(Instant::now() + self.retry_schedule.next_wait(has_logged_in, &self.config.certificate))
            }
            TokenError::Device(problem) => {
                self.reporter.report(TokenPhase::Waiting, Some(problem));
                Some(Instant::now() + REOPEN_INTERVAL)
            }
        };
        State::Closed { again, why }
    }

    pub(super) fn close_until(&self, again: Instant, problem: Problem) -> State {
        self.reporter.report(TokenPhase::Waiting, Some(problem.clone()));
        State::Closed {
            again: Some(again),
            why: problem,
        }
    }
}
