//! The hardware's face of the identity: a PKCS#11 module, the key in it, and signatures.
//!
//! One thread owns the module, its session and its handles; everybody else holds a [`Token`], a bounded channel to it. A
//! signature takes a TPM up to 600 ms, so that thread is the only one that ever waits for the hardware itself.

mod algorithm;
mod candidates;
mod error;
mod generate;
mod key_checks;
mod keys;
mod login;
mod lookout;
mod module;
mod names;
mod open_token;
mod pin;
mod pin_content;
mod pin_helper;
mod prepare;
mod proof;
mod public_key;
mod record;
mod signing;
mod slots;
mod thread;
mod tpm;
mod uri;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub use algorithm::{Generate, Hash, KeyAlgorithm, Scheme};
pub use error::TokenError;
pub use pin::{PinSource, give_pin_file_to};
pub use prepare::{Proof, labels, make, pin_from, prove};
pub use public_key::PublicKey;
pub use uri::{KeyUri, UriError};

use crate::heartbeat::Heartbeat;
use crate::problem::{Fatal, Problem};
use crate::status::{Reporter, TokenDetails, TokenPhase};

/// How many signatures may wait their turn. More than a handful means that the token is stuck.
const QUEUE: usize = 16;
/// How long a caller waits for its signature. The slowest TPMs of Chrome's study take 600 ms; several may queue.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the thread may be away in the module to open the token. A restart in the middle of that counts against a TPM's
/// dictionary lockout, so that it has more time than a signature.
const OPEN_PATIENCE: Duration = Duration::from_secs(120);
/// How long a key may take. A TPM looks for the primes of an RSA key by itself, which takes it seconds as a rule and minutes
/// at worst; whoever interrupts it makes it begin anew.
const GENERATION_PATIENCE: Duration = Duration::from_secs(600);

/// `[token]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// Which key.
    pub key: KeyUri,
    /// Where the PIN is; `None` means the systemd credential named `pin`.
    pub pin_file: Option<PathBuf>,
    /// What to do when the token has no such key.
    pub generate: Generate,
    /// `identity.certificate`: the public key may be in it, where the token has none.
    pub certificate: PathBuf,
}

/// The token's reporting end.
pub type TokenReporter = Reporter<TokenPhase, TokenDetails>;

/// What the owner thread is asked.
#[derive(Debug)]
enum Request {
    Sign(SignRequest),
    /// Whether the thread comes round to its requests.
    Beat,
    /// An operator wants a token that is closed to be looked for now, and the key of an open one to be checked.
    Retry,
    Stop,
}

/// A message to sign and where the signature goes.
#[derive(Debug)]
struct SignRequest {
    scheme: Scheme,
    message: Vec<u8>,
    reply: SyncSender<Result<Vec<u8>, TokenError>>,
}

impl SignRequest {
    fn answer(self, outcome: Result<Vec<u8>, TokenError>) {
        // A caller that has given up is not an error.
        let _ = self.reply.try_send(outcome);
    }

    fn refuse(self, why: &Problem) {
        self.answer(Err(TokenError::Absent(why.clone())));
    }
}

/// How long the thread may take to close the token; one that is stuck in the hardware does not answer at all.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// The thread itself. Dropping this closes the token: a TPM counts an unclean end against its dictionary lockout.
#[derive(Debug)]
pub struct TokenThread {
    requests: SyncSender<Request>,
    ended: Receiver<()>,
}

impl Drop for TokenThread {
    fn drop(&mut self) {
        let _ = self.requests.try_send(Request::Stop);
        // Nothing is ever sent: the channel closes with the thread.
        let _ = self.ended.recv_timeout(CLOSE_PATIENCE);
    }
}

/// A handle to the token thread.
#[derive(Clone, Debug)]
pub struct Token {
    requests: SyncSender<Request>,
    public_key: watch::Receiver<Option<PublicKey>>,
    heartbeat: Heartbeat,
    /// Of the thread that waits for signatures.
    waiting: Heartbeat,
}

impl Token {
    /// Starts the thread that owns the module. What no retry can mend before the first success goes to `fatal`; `waiting` is
    /// the pulse of the thread that will ask for signatures.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn spawn(
        config: TokenConfig,
        pin: PinSource,
        reporter: TokenReporter,
        fatal: mpsc::Sender<Fatal>,
        waiting: Heartbeat,
    ) -> std::io::Result<(Self, TokenThread)> {
        let (requests, incoming) = sync_channel(QUEUE);
        let heartbeat = Heartbeat::new();
        let (key_sender, public_key) = watch::channel(None);
        let owner = thread::Owner {
            config,
            pin,
            requests: incoming,
            reporter,
            public_key: key_sender,
            fatal,
            last_reopen: None,
            last_opening: None,
            logins: login::Logins::default(),
            lookout: lookout::Lookout::default(),
            key_checks: key_checks::KeyChecks::default(),
            record: record::Record::new(),
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
            public_key,
            heartbeat,
            waiting,
        };
        Ok((token, thread))
    }

    /// Asks the thread for a sign of life.
    pub fn ask(&self) {
        let waits_already = !self.heartbeat.has_answered();
        self.heartbeat.ask();
        if !waits_already {
            // A full queue is answered by nobody either.
            let _ = self.requests.try_send(Request::Beat);
        }
    }

    /// Whether the thread has given one, or is at something that may take so long.
    pub fn is_alive(&self) -> bool {
        self.heartbeat.is_alive()
    }

    /// Has a token that is awaited looked for now, or as soon after the last time as it may be, and the key of an open token
    /// checked. One that is closed for good stays closed: each opening may try the PIN.
    pub fn retry(&self) {
        // A full queue has requests in it that open the token.
        let _ = self.requests.try_send(Request::Retry);
    }

    /// The key's public half, from when the token has first shown it; a change means another key.
    pub fn public_key(&self) -> watch::Receiver<Option<PublicKey>> {
        self.public_key.clone()
    }

    /// Signs `message` inside the token. Blocks for as long as the token takes, 30 s at most.
    ///
    /// # Errors
    /// With the token's state, when it does not sign.
    pub fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let (reply, answer) = sync_channel(1);
        let request = Request::Sign(SignRequest {
            scheme,
            message: message.to_vec(),
            reply,
        });
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => stuck(&format!("{QUEUE} signatures are waiting for it already")),
            TrySendError::Disconnected(_) => stuck("its thread has ended"),
        })?;
        let answer = self.waiting.excused(PATIENCE, || answer.recv_timeout(PATIENCE));
        answer.map_err(|error| match error {
            RecvTimeoutError::Timeout => stuck(&format!("no signature within {} s", PATIENCE.as_secs())),
            RecvTimeoutError::Disconnected => stuck("its thread has ended"),
        })?
    }
}

/// The steps on the way to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The module is loaded and initialised.
    Module,
    /// The token is there.
    Token,
    /// The PIN is accepted.
    Pin,
    /// The key is in it.
    Key,
}

/// What an examination has found.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The token's label.
    pub label: String,
    /// Whether it wants a PIN.
    pub login: bool,
    /// Whether it wants it typed into a reader of its own.
    pub protected_path: bool,
    /// The key's algorithm; `None` where there is no key yet.
    pub key: Option<KeyAlgorithm>,
    /// What to say of a key that is not there and will not be made.
    pub missing: Option<Problem>,
    /// The keys that are there instead, in words.
    pub others: Option<String>,
}

/// Opens the token once, makes nothing in it, and closes it again. A wrong PIN counts against the token.
///
/// # Errors
/// With the step that failed; those before it have succeeded.
pub fn examine(config: &TokenConfig, pin: &PinSource) -> Result<Examined, (Step, TokenError)> {
    open_token::examine(config, pin)
}

/// What is wrong with the module and the PIN file, as far as that can be said without touching a token.
pub fn check(config: &TokenConfig) -> Vec<Problem> {
    let module = module::load_uninitialised(&config.module).map(drop);
    // Without a file the PIN is systemd's to hand over, and it does so only when it starts the daemon.
    let pin = match &config.pin_file {
        Some(path) => PinSource::new(Some(path), None).read().map(drop),
        None => Ok(()),
    };
    [module, pin]
        .into_iter()
        .filter_map(|outcome| outcome.err().map(|error| error.problem().clone()))
        .collect()
}

/// Returns the setup step that the token still needs, as far as it can be determined without accessing the token.
pub fn missing_setup(config: &TokenConfig) -> Option<Problem> {
    tpm::missing_setup(&config.module)
}

fn stuck(why: &str) -> TokenError {
    TokenError::Device(Problem::wait(format!("the token does not answer: {why}")))
}
