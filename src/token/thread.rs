//! The one thread that owns the module. It sleeps until somebody wants a signature, and opens a lost token again.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use log::Level;
use tokio::sync::watch;

use super::TokenConfig;
use super::error::TokenError;
use super::module::OpenToken;
use super::pin::PinSource;
use super::{Generate, OPEN_PATIENCE, PATIENCE, PublicKey, Request, TokenReporter};
use crate::event::{Event, journal};
use crate::problem::{Fatal, Problem};
use crate::pulse::Pulse;
use crate::status::TokenPhase;

/// How long to wait before looking again for a token that is not there.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
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
    pub(super) pulse: Pulse,
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
            self.pulse.beat();
            state = match state {
                State::Open(token) => match self.requests.recv() {
                    Ok(Request::Sign(request)) => self.serve(token, request),
                    Ok(Request::Beat) => State::Open(token),
                    Ok(Request::Stop) | Err(_) => return token.close(),
                },
                State::Closed { again, why } => match self.next_while_closed(again) {
                    Ok(Some(Request::Sign(request))) => {
                        request.refuse(&why);
                        State::Closed { again, why }
                    }
                    Ok(Some(Request::Beat)) => State::Closed { again, why },
                    Ok(None) => self.open(),
                    Ok(Some(Request::Stop)) | Err(_) => return,
                },
            };
        }
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
        match self
            .requests
            .recv_timeout(again.saturating_duration_since(Instant::now()))
        {
            Ok(request) => Ok(Some(request)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    fn open(&mut self) -> State {
        // A key that was there and is gone is a fault to be told of, not to be papered over with another one.
        if self.public_key.borrow().is_some() {
            self.config.generate = Generate::Never;
        }
        let pulse = self.pulse.clone();
        match pulse.excused(OPEN_PATIENCE, || OpenToken::open(&self.config, &self.pin, &pulse)) {
            Ok(token) => {
                let key = token.public_key();
                self.reporter.report_with(TokenPhase::Ready, None, |details| {
                    details.algorithm = Some(key.algorithm.to_string());
                });
                self.public_key.send_if_modified(|known| {
                    let news = known.as_ref() != Some(key);
                    *known = Some(key.clone());
                    news
                });
                State::Open(token)
            }
            Err(error) => self.closed(error),
        }
    }

    fn closed(&mut self, error: TokenError) -> State {
        let why = error.problem().clone();
        let again = match error {
            TokenError::Final(exit, problem) => {
                self.reporter.report(TokenPhase::Failed, Some(problem.clone()));
                // Before the first success nobody depends on us, and the exit code tells more than a status.
                if self.public_key.borrow().is_none() {
                    let _ = self.fatal.try_send(Fatal::new(exit, problem));
                }
                None
            }
            TokenError::Absent(problem) => {
                self.reporter.report(TokenPhase::Waiting, Some(problem));
                Some(Instant::now() + LOOK_AGAIN)
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
            Ok(signature) => {
                request.answer(Ok(signature));
                State::Open(token)
            }
            // A token that was pulled out is lost like one that was reset: both are opened anew.
            Err(TokenError::Device(problem) | TokenError::Absent(problem)) => {
                journal!(Level::Warn, Event::TokenFault; "{problem}");
                self.pulse.excused(PATIENCE, || token.close());
                let now = Instant::now();
                let too_soon = self.last_reopen.is_some_and(|last| now < last + REOPEN_INTERVAL);
                if let (true, Some(last)) = (too_soon, self.last_reopen) {
                    self.reporter.report(TokenPhase::Waiting, Some(problem.clone()));
                    request.refuse(&problem);
                    return State::Closed {
                        again: Some(last + REOPEN_INTERVAL),
                        why: problem,
                    };
                }
                self.last_reopen = Some(now);
                self.serve_after_reopening(request)
            }
            Err(error) => {
                request.answer(Err(error));
                State::Open(token)
            }
        }
    }

    fn serve_after_reopening(&mut self, request: super::SignRequest) -> State {
        let state = self.open();
        match &state {
            State::Open(token) => {
                let outcome = self.sign(token, &request);
                request.answer(outcome);
            }
            State::Closed { why, .. } => request.refuse(why),
        }
        state
    }

    /// Signs and counts it.
    fn sign(&self, token: &OpenToken, request: &super::SignRequest) -> Result<Vec<u8>, TokenError> {
        let begun = Instant::now();
        let signature = self
            .pulse
            .excused(PATIENCE, || token.sign(request.scheme, &request.message))?;
        let took = begun.elapsed();
        self.reporter.details(|details| {
            details.signatures += 1;
            details.latencies.observe(took);
        });
        Ok(signature)
    }
}
