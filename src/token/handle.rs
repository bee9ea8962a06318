//! A handle to the token thread, for everyone who needs a signature or the public key.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};

use tokio::sync::{mpsc, watch};

use super::algorithm::Scheme;
use super::config::TokenConfig;
use super::error::TokenError;
use super::key_checks::KeyChecks;
use super::login::Logins;
use super::named_key::{FoundKey, NamedKey};
use super::patience::{CLOSE_PATIENCE, PATIENCE};
use super::pin::PinSource;
use super::record::Record;
use super::reopen_limit::ReopenLimit;
use super::request::{Done, Operation, Request, UseRequest};
use super::retry_schedule::RetrySchedule;
use super::thread::{Owner, TokenReporter};
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
        let _ = self.ended.recv_timeout(CLOSE_PATIENCE);
    }
}

/// A handle to the token thread.
#[derive(Clone, Debug)]
pub struct Token {
    requests: SyncSender<Request>,
    device_key: watch::Receiver<Option<FoundKey>>,
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
        let (key_sender, device_key) = watch::channel(None);
        let owner = Owner {
            config,
            pin,
            requests: incoming,
            reporter,
            device_key: key_sender,
            fatal,
            reopen_limit: ReopenLimit::default(),
            last_opening: None,
            logins: Logins::default(),
            retry_schedule: RetrySchedule::default(),
            key_checks: KeyChecks::default(),
            record: Record::new(),
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
            device_key,
            heartbeat,
            waiting,
        };
        Ok((token, thread))
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

    /// Returns a channel with the device's key, which is `None` until the token was opened for the first time. A new value means
    /// another key.
    pub fn device_key(&self) -> watch::Receiver<Option<FoundKey>> {
        self.device_key.clone()
    }

    /// Finds a key beside the device's in the same token. Blocks for as long as the token takes, 30 s at most.
    ///
    /// # Errors
    /// With the state of the token, or if there is no such key.
    pub fn find(&self, name: NamedKey) -> Result<FoundKey, TokenError> {
        let name = Arc::new(name);
        match self.request(Operation::Find(name.clone()))? {
            Done::Found(public) => Ok(FoundKey { name, public }),
            Done::Signature(_) => Err(unresponsive(OTHER_ANSWER)),
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
        match self.request(operation)? {
            Done::Signature(signature) => Ok(signature),
            Done::Found(_) => Err(unresponsive(OTHER_ANSWER)),
        }
    }

    fn request(&self, operation: Operation) -> Result<Done, TokenError> {
        let (sender, receiver) = sync_channel(1);
        let request = Request::Use(UseRequest { operation, sender });
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => unresponsive(&format!("{QUEUE} requests are waiting for it already")),
            TrySendError::Disconnected(_) => unresponsive("its thread has ended"),
        })?;
        let reply = self.waiting.excused(PATIENCE, || receiver.recv_timeout(PATIENCE));
        reply.map_err(|error| match error {
            RecvTimeoutError::Timeout => unresponsive(&format!("no answer within {} s", PATIENCE.as_secs())),
            RecvTimeoutError::Disconnected => unresponsive("its thread has ended"),
        })?
    }
}

const OTHER_ANSWER: &str = "it answered another request";

fn unresponsive(why: &str) -> TokenError {
    TokenError::Device(Problem::wait(format!("the token does not answer: {why}")))
}
