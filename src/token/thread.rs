//! The one thread that owns the module. It sleeps until somebody wants a signature, opens a lost token again, and checks once in
//! a while that the key of an open token is still there.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use log::Level;
use tokio::sync::watch;

use super::TokenConfig;
use super::error::TokenError;
use super::key_checks::KeyChecks;
use super::login::Logins;
use super::lookout::{LOOK_AGAIN, Lookout};
use super::open_token::OpenToken;
use super::pin::PinSource;
use super::record::Record;
use super::{Generate, OPEN_PATIENCE, PATIENCE, PublicKey, Request, TokenReporter};
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::problem::{Exit, Fatal, Problem};
use crate::status::TokenPhase;

/// A lost token is opened anew at most this often: a device that fails at every signature must not be hammered.
const REOPEN_INTERVAL: Duration = Duration::from_secs(30);

pub(super) struct Owner {
    pub(super) config: TokenConfig,
    pub(super) pin: PinSource,
    pub(super) requests: Receiver<Request>,
    pub(super) reporter: TokenReporter,
    pub(super) public_key: watch::Sender<Option<PublicKey>>,
    pub(super) fatal: tokio::sync::mpsc::Sender<Fatal>,
    pub(super) last_reopen: Option<Instant>,
    pub(super) last_opening: Option<Instant>,
    pub(super) logins: Logins,
    pub(super) lookout: Lookout,
    pub(super) key_checks: KeyChecks,
    pub(super) record: Record,
    pub(super) heartbeat: Heartbeat,
}

/// What the thread does next.
enum State {
    Open(OpenToken),
    /// Closed; looked for again at the given time, or never.
    Closed {
        again: Option<Instant>,
        why: Problem,
    },
}

impl Owner {
    /// Runs until the last [`Token`](super::Token) is gone or says stop.
    pub(super) fn run(mut self) {
        let mut state = self.open();
        loop {
            // Every request that is done with is a sign of life, whatever else waits in the queue.
            self.heartbeat.beat();
            state = match state {
                State::Open(token) => match self.next_while_open() {
                    Ok(Some(Request::Sign(request))) => self.serve(token, request),
                    Ok(Some(Request::Beat)) => State::Open(token),
                    Ok(Some(Request::Retry) | None) => self.check_key(token),
                    Ok(Some(Request::Stop)) | Err(_) => return token.close(),
                },
                State::Closed { again, why } => match self.next_while_closed(again) {
                    Ok(Some(Request::Sign(request))) => {
                        request.refuse(&why);
                        State::Closed { again, why }
                    }
                    Ok(Some(Request::Beat)) => State::Closed { again, why },
                    Ok(Some(Request::Retry)) => State::Closed {
                        again: again.map(|planned| self.sooner(planned)),
                        why,
                    },
                    Ok(None) => self.open(),
                    Ok(Some(Request::Stop)) | Err(_) => return,
                },
            };
        }
    }

    /// The next request, or `None` when it is time to check the key.
    fn next_while_open(&self) -> Result<Option<Request>, RecvTimeoutError> {
        match self.requests.recv_timeout(self.key_checks.due_in()) {
            Ok(request) => Ok(Some(request)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// Checks that the key is still in the token. A token without it is opened anew, so that the status tells of the loss before
    /// the next connection needs a signature.
    fn check_key(&mut self, token: OpenToken) -> State {
        let outcome = self
            .heartbeat
            .excused(PATIENCE, || self.key_checks.run(|| token.find_key(&self.config.key)));
        let state = match outcome {
            Ok(()) => {
                self.reporter.report(TokenPhase::Ready, self.record.complaint());
                State::Open(token)
            }
            // The open key still signs, but the token cannot be opened like this again.
            Err(TokenError::Final(_, problem)) => {
                self.reporter.report(TokenPhase::Ready, Some(problem));
                State::Open(token)
            }
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                journal!(Level::Warn, Event::TokenFault; "token: {problem}");
                self.heartbeat.excused(PATIENCE, || token.close());
                let now = Instant::now();
                match self.last_reopen.filter(|last| now < *last + REOPEN_INTERVAL) {
                    Some(last) => self.closed_until(last + REOPEN_INTERVAL, problem),
                    None => {
                        self.last_reopen = Some(now);
                        self.open()
                    }
                }
            }
        };
        // After the report: whoever waits for the check then reads its outcome.
        self.reporter.details(|details| details.checks += 1);
        state
    }

    /// The next request, or `None` when it is time to look for the token again.
    fn next_while_closed(&self, again: Option<Instant>) -> Result<Option<Request>, RecvTimeoutError> {
        let Some(again) = again else {
            return self
                .requests
                .recv()
                .map(Some)
                .map_err(|_| RecvTimeoutError::Disconnected);
        };
        loop {
            let left = again.saturating_duration_since(Instant::now());
            match self.requests.recv_timeout(left.min(LOOK_AGAIN)) {
                Ok(request) => return Ok(Some(request)),
                Err(RecvTimeoutError::Timeout) => {
                    if left <= LOOK_AGAIN || self.lookout.has_news(&self.config.certificate) {
                        return Ok(None);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            }
        }
    }

    /// When an operator's request is answered: at once, but not in the same breath as the last opening.
    fn sooner(&self, planned: Instant) -> Instant {
        self.last_opening.map_or(planned, |last| planned.min(last + LOOK_AGAIN))
    }

    fn open(&mut self) -> State {
        // A key that was there and is gone is a fault to be told of, not to be papered over with another one.
        if self.public_key.borrow().is_some() {
            self.config.generate = Generate::Never;
        }
        let heartbeat = self.heartbeat.clone();
        let logins = self.logins.successes();
        let opened = heartbeat.excused(OPEN_PATIENCE, || {
            OpenToken::open(&self.config, &self.pin, &mut self.logins, &heartbeat)
        });
        self.last_opening = Some(Instant::now());
        match opened {
            Ok(token) => {
                self.record.opened();
                self.lookout.opened();
                self.key_checks.opened(|| token.find_key(&self.config.key));
                let key = token.public_key();
                let complaint = self.record.complaint();
                self.reporter.report_with(TokenPhase::Ready, complaint, |details| {
                    details.openings += 1;
                    details.algorithm = Some(key.algorithm.to_string());
                    // A key that was made in this run is an old one when the token is opened again.
                    if let Some(warning) = token.warning() {
                        details.warning = Some(warning.to_owned());
                    }
                });
                self.public_key.send_if_modified(|known| {
                    let news = known.as_ref() != Some(key);
                    *known = Some(key.clone());
                    news
                });
                State::Open(token)
            }
            Err(error) => {
                let has_logged_in = self.logins.successes() > logins;
                let state = self.closed(error, has_logged_in);
                // After the report: whoever waits for the attempt then reads its outcome.
                self.reporter.details(|details| details.openings += 1);
                state
            }
        }
    }

    fn closed(&mut self, error: TokenError, has_logged_in: bool) -> State {
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
                // Before the first success nobody depends on us, and the exit code tells more than a status.
                if self.public_key.borrow().is_none() {
                    let _ = self.fatal.try_send(Fatal::new(exit, problem));
                }
                None
            }
            TokenError::Absent(problem) => {
                self.reporter.report(TokenPhase::Waiting, Some(problem));
                Some(Instant::now() + self.lookout.next_wait(has_logged_in, &self.config.certificate))
            }
            TokenError::Device(problem) => {
                self.reporter.report(TokenPhase::Waiting, Some(problem));
                Some(Instant::now() + REOPEN_INTERVAL)
            }
        };
        State::Closed { again, why }
    }

    /// Signs; a device that lost its state is opened anew and asked once more.
    fn serve(&mut self, token: OpenToken, request: super::SignRequest) -> State {
        match self.sign(&token, &request) {
            // A token that was pulled out is lost like one that was reset: both are opened anew.
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                let problem = self.record.not_signed(problem);
                journal!(Level::Warn, Event::TokenFault; "{problem}");
                self.heartbeat.excused(PATIENCE, || token.close());
                let now = Instant::now();
                match self.last_reopen.filter(|last| now < *last + REOPEN_INTERVAL) {
                    Some(last) => self.wait_for_reopening(request, problem, last),
                    None => {
                        self.last_reopen = Some(now);
                        self.serve_after_reopening(request, now)
                    }
                }
            }
            outcome => self.finish(token, request, outcome),
        }
    }

    fn serve_after_reopening(&mut self, request: super::SignRequest, reopened: Instant) -> State {
        let token = match self.open() {
            State::Open(token) => token,
            State::Closed { again, why } => {
                request.refuse(&why);
                return State::Closed { again, why };
            }
        };
        match self.sign(&token, &request) {
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                let problem = self.record.not_signed(problem);
                self.heartbeat.excused(PATIENCE, || token.close());
                self.wait_for_reopening(request, problem, reopened)
            }
            outcome => self.finish(token, request, outcome),
        }
    }

    /// Leaves a token alone that failed right after it was opened.
    fn wait_for_reopening(&self, request: super::SignRequest, problem: Problem, last: Instant) -> State {
        request.refuse(&problem);
        self.closed_until(last + REOPEN_INTERVAL, problem)
    }

    fn closed_until(&self, again: Instant, problem: Problem) -> State {
        self.reporter.report(TokenPhase::Waiting, Some(problem.clone()));
        State::Closed {
            again: Some(again),
            why: problem,
        }
    }

    /// Answers with a signature, or with a refusal that says nothing against the device.
    fn finish(&mut self, token: OpenToken, request: super::SignRequest, outcome: Result<Vec<u8>, TokenError>) -> State {
        match outcome {
            // Each further signature would try the PIN once more.
            Err(TokenError::Final(Exit::Pin, problem)) => {
                self.heartbeat.excused(PATIENCE, || token.close());
                request.refuse(&problem);
                self.closed(TokenError::Final(Exit::Pin, problem), true)
            }
            outcome => {
                request.answer(outcome);
                State::Open(token)
            }
        }
    }

    /// Signs and counts it.
    fn sign(&mut self, token: &OpenToken, request: &super::SignRequest) -> Result<Vec<u8>, TokenError> {
        let begun = Instant::now();
        let signature = self.heartbeat.excused(PATIENCE, || {
            token.sign(request.scheme, &request.message, &self.pin, &mut self.logins)
        })?;
        let took = begun.elapsed();
        self.key_checks.passed();
        self.reporter.details(|details| {
            details.signatures += 1;
            details.latencies.observe(took);
        });
        if self.record.signed() {
            self.reporter.report(TokenPhase::Ready, None);
        }
        Ok(signature)
    }
}
