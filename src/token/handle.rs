//! A handle to the token thread, for everyone who needs a signature or the public key.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::algorithm::{KeyAlgorithm, Scheme};
use super::config::TokenConfig;
use super::error::TokenError;
use super::key_checks::KeyChecks;
use super::login::Logins;
use super::named_key::{FoundKey, NamedKey};
use super::pin::PinSource;
use super::reopen_limit::ReopenLimit;
use super::reports::{Reports, TokenReporter};
use super::request::{Operation, Reply, Request, UseRequest};
use super::retry_schedule::RetrySchedule;
use super::thread::Owner;
use super::time_limits::{CLOSE_TIMEOUT, GENERATION_TIMEOUT, OPERATION_TIMEOUT};
use crate::heartbeat::Heartbeat;
use crate::problem::{Fatal, Problem};

/// How many requests may be queued. More than a few mean that the token hangs.
const QUEUE: usize = 16;

/// The token thread. Dropping it closes the token, because a TPM counts an unclean end against its dictionary lockout.
#[derive(Debug)]
pub struct TokenThread {
    requests: SyncSender<Request>,
    ended: Receiver<()>,
}

impl Drop for TokenThread {
    fn drop(&mut self) {
        let _ = self.requests.try_send(Request::Stop);
        // Nothing is ever sent on this channel, which closes when the thread ends.
        let _ = self.ended.recv_timeout(CLOSE_TIMEOUT);
    }
}

/// A handle to the token thread.
#[derive(Clone, Debug)]
pub struct Token {
    requests: SyncSender<Request>,
    device_keys: watch::Receiver<Vec<FoundKey>>,
    heartbeat: Heartbeat,
    /// The heartbeat of the thread that waits for signatures.
    waiting: Heartbeat,
}

impl Token {
    /// Starts the thread that owns the module. A failure before the first success that no retry can mend is sent to `fatal`.
    /// `waiting` is the heartbeat of the thread that will ask for signatures.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn spawn(
        config: TokenConfig,
        pin: PinSource,
        reporter: TokenReporter,
        fatal: mpsc::Sender<Fatal>,
        waiting: Heartbeat,
    ) -> std::io::Result<(Self, TokenThread)> {
        let (requests, incoming) = sync_channel(QUEUE);
        let heartbeat = Heartbeat::new();
        let (key_sender, device_keys) = watch::channel(Vec::new());
        let owner = Owner {
            config,
            pin,
            requests: incoming,
            reports: Reports::new(reporter, key_sender, fatal),
            reopen_limit: ReopenLimit::default(),
            last_opening: None,
            logins: Logins::default(),
            retry_schedule: RetrySchedule::default(),
            key_checks: KeyChecks::default(),
            heartbeat: heartbeat.clone(),
        };
        let (alive, ended) = channel();
        std::thread::Builder::new().name("token".into()).spawn(move || {
            let _alive: Sender<()> = alive;
            owner.run();
        })?;
        let thread = TokenThread {
            requests: requests.clone(),
            ended,
        };
        let token = Self {
            requests,
            device_keys,
            heartbeat,
            waiting,
        };
        Ok((token, thread))
    }

    /// Creates a handle without a thread: nothing answers its requests.
    #[cfg(test)]
    pub(crate) fn without_thread() -> Self {
        Self {
            requests: sync_channel(QUEUE).0,
            device_keys: watch::channel(Vec::new()).1,
            heartbeat: Heartbeat::new(),
            waiting: Heartbeat::new(),
        }
    }

    /// Asks the thread for a heartbeat.
    pub fn ask(&self) {
        let is_asked_already = !self.heartbeat.has_answered();
        self.heartbeat.ask();
        if !is_asked_already {
            // If the queue is full, the missing answer shows that the thread hangs.
            let _ = self.requests.try_send(Request::Beat);
        }
    }

    /// Returns whether the thread has answered, or is in an operation that may take so long.
    pub fn is_alive(&self) -> bool {
        self.heartbeat.is_alive()
    }

    /// Reopens a closed token now, or as soon after the last attempt as is allowed, and checks the key of an open one. A token
    /// that was closed for good stays closed, because each attempt may try the PIN.
    pub fn retry(&self) {
        // The requests in a full queue open the token anyway.
        let _ = self.requests.try_send(Request::Retry);
    }

    /// Returns a channel with the device's keys: none until the token was opened for the first time, then one or two. Which of two is
    /// in use follows from the certificate. A new value means other keys.
    pub fn device_keys(&self) -> watch::Receiver<Vec<FoundKey>> {
        self.device_keys.clone()
    }

    /// Finds a key that need not be there. Blocks as `find` does.
    ///
    /// # Errors
    /// With the state of the token.
    pub fn look_for(&self, name: NamedKey) -> Result<Option<FoundKey>, TokenError> {
        let name = Arc::new(name);
        match self.request(Operation::Find(name.clone()), OPERATION_TIMEOUT)? {
            Reply::Found(public) => Ok(Some(FoundKey { name, public })),
            Reply::Missing(_) => Ok(None),
            Reply::Signature(_) => Err(unresponsive(OTHER_ANSWER)),
        }
    }

    /// Generates a key of the device, or returns the one of this name. This may take minutes, in which the caller is blocked, so it
    /// must not be called on a thread with other work.
    ///
    /// # Errors
    /// With the state of the token, or if it does not allow it.
    pub fn generate(&self, name: NamedKey, algorithm: KeyAlgorithm) -> Result<FoundKey, TokenError> {
        let name = Arc::new(name);
        let request = Operation::Generate(name.clone(), algorithm);
        match self.wait_for(request, GENERATION_TIMEOUT)? {
            Reply::Found(public) => Ok(FoundKey { name, public }),
            Reply::Missing(_) | Reply::Signature(_) => Err(unresponsive(OTHER_ANSWER)),
        }
    }

    /// Finds a key beside the device's in the same token. Blocks for as long as the token takes, 30 s at most.
    ///
    /// # Errors
    /// With the state of the token, or if there is no such key.
    pub fn find(&self, name: NamedKey) -> Result<FoundKey, TokenError> {
        let name = Arc::new(name);
        match self.request(Operation::Find(name.clone()), OPERATION_TIMEOUT)? {
            Reply::Found(public) => Ok(FoundKey { name, public }),
            Reply::Missing(problem) => Err(TokenError::configuration(problem)),
            Reply::Signature(_) => Err(unresponsive(OTHER_ANSWER)),
        }
    }

    /// Signs `message` inside the token. Blocks for as long as the token takes, 30 s at most.
    ///
    /// # Errors
    /// With the state of the token, if it does not sign.
    pub fn sign(&self, key: &FoundKey, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let operation = Operation::Sign {
            key: key.public.clone(),
            name: key.name.clone(),
            scheme,
            message: message.to_vec(),
        };
        match self.request(operation, OPERATION_TIMEOUT)? {
            Reply::Signature(signature) => Ok(signature),
            Reply::Found(_) | Reply::Missing(_) => Err(unresponsive(OTHER_ANSWER)),
        }
    }

    /// Sends a request from the thread whose heartbeat waits for it.
    fn request(&self, operation: Operation, time_limit: Duration) -> Result<Reply, TokenError> {
        self.waiting
            .excused(time_limit, || self.wait_for(operation, time_limit))
    }

    fn wait_for(&self, operation: Operation, time_limit: Duration) -> Result<Reply, TokenError> {
        let (sender, receiver) = sync_channel(1);
        let request = Request::Use(UseRequest { operation, sender });
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => unresponsive(&format!("{QUEUE} requests are waiting for it already")),
            TrySendError::Disconnected(_) => unresponsive("its thread has ended"),
        })?;
        receiver.recv_timeout(time_limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => unresponsive(&format!("no answer within {} s", time_limit.as_secs())),
            RecvTimeoutError::Disconnected => unresponsive("its thread has ended"),
        })?
    }
}

const OTHER_ANSWER: &str = "it answered another request";

fn unresponsive(why: &str) -> TokenError {
    TokenError::Device(Problem::wait(format!("the token does not answer: {why}")))
}
