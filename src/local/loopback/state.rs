//! The state of one loopback listener: its address, its tokens, and what passes to the next run.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::task::spawn_blocking;

use super::bind_error::BindError;
use super::port;
use crate::event::{Event, journal};
use crate::foreign_text::clean;
use crate::local::access::AccessRules;
use crate::local::bearer_tokens::{
    BearerTokens, TokenFiles, WriteReason, remove_token_files, seal, unseal, write_token_files,
};
use crate::problem::Problem;
use crate::retry::RetryListener;
use crate::status::{LoopbackDetails, LoopbackPart, LoopbackPhase, Reporter, StatusHub};

/// Time between two attempts to bind the address.
const BIND_INTERVAL: Duration = Duration::from_secs(10);

/// The descriptors that an earlier run stored with the service manager, or that a socket unit holds.
#[derive(Debug, Default)]
pub struct Inherited {
    /// The listening socket, bound to the configured address.
    pub listener: Option<TcpListener>,
    /// Whether the service manager keeps the socket already.
    pub is_kept: bool,
    /// Sealed files with tokens, with the names that they are stored under.
    pub tokens: Vec<(String, OwnedFd)>,
}

/// A configured loopback listener.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    folder: PathBuf,
    tokens: RefCell<Rc<BearerTokens>>,
    inherited: RefCell<Inherited>,
    /// Held while the token files are written, so that the accepted tokens are those in the files.
    writing: Mutex<()>,
    /// The socket once it is bound. No token file is written before.
    bound: RefCell<Option<OwnedFd>>,
    /// Incremented whenever the state for the next run changes.
    changes: watch::Sender<u64>,
    reporter: Reporter<LoopbackPhase, LoopbackDetails>,
}

impl Loopback {
    /// Creates the state of a listener for `address` with its token files in `folder`, not listening yet.
    pub fn new(address: SocketAddr, folder: PathBuf, hub: &StatusHub, inherited: Inherited) -> Self {
        let details = LoopbackDetails {
            listen: address.to_string(),
            token_files: Vec::new(),
            attempts: 0,
        };
        Self {
            address,
            folder,
            tokens: RefCell::default(),
            inherited: RefCell::new(inherited),
            writing: Mutex::default(),
            bound: RefCell::default(),
            changes: watch::Sender::new(0),
            reporter: hub.reporter("loopback", LoopbackPhase::Waiting, details),
        }
    }

    /// Closes the port and revokes the tokens, after a reload that configures another listener or none.
    pub fn retire(&self) {
        self.tokens.replace(Rc::default());
        self.bound.replace(None);
    }

    /// Returns its present problem.
    pub fn problem(&self) -> Option<Problem> {
        self.reporter.watch().borrow().problem.clone()
    }

    /// Subscribes to its status.
    pub fn watch(&self) -> watch::Receiver<LoopbackPart> {
        self.reporter.watch()
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the accepted tokens.
    pub fn tokens(&self) -> Rc<BearerTokens> {
        self.tokens.borrow().clone()
    }

    /// Returns whether the port is bound.
    pub fn is_bound(&self) -> bool {
        self.bound.borrow().is_some()
    }

    /// Subscribes to changes of the state for the next run.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Returns the listening socket if the service manager does not keep it yet.
    ///
    /// # Errors
    /// If no descriptor is left for a copy.
    pub fn listener_to_keep(&self) -> io::Result<Option<OwnedFd>> {
        match (&*self.bound.borrow(), self.inherited.borrow().is_kept) {
            (Some(listener), false) => listener.try_clone().map(Some),
            _ => Ok(None),
        }
    }

    /// Returns a sealed file with gatepost's own tokens for the next run.
    ///
    /// # Errors
    /// If the kernel cannot create the file.
    pub fn tokens_to_keep(&self) -> io::Result<OwnedFd> {
        let tokens = self.tokens();
        let generated = tokens.iter().filter(|token| !token.is_from_administrator);
        seal(generated, self.address, *self.changes.borrow())
    }

    /// Binds the address, trying again while that fails, and writes the token files. Returns the socket to accept connections from. An
    /// operator may end a wait by `retry`.
    pub async fn start(&self, access: &RefCell<AccessRules>, retry: &mut RetryListener) -> tokio::net::TcpListener {
        let (listener, known) = self.acquire_listener(retry).await;
        // Locked before the port is marked as bound: otherwise a reload could write files without the inherited tokens.
        let writing = self.writing.lock().await;
        let registered = loop {
            match register(&listener) {
                Ok((registered, kept)) => {
                    self.bound.replace(Some(kept));
                    break registered;
                }
                Err(error) => {
                    self.wait_to_listen(&error.into(), retry).await;
                }
            }
        };
        let problem = self.write_files(access, known, WriteReason::Start, writing).await;
        self.report_attempt(LoopbackPhase::Listening, problem);
        registered
    }

    /// Reports why the listener does not listen, and waits until the next attempt.
    async fn wait_to_listen(&self, error: &BindError, retry: &mut RetryListener) {
        let address = self.address;
        let problem = Problem::configuration(format!("the loopback listener cannot use {address}: {error}"));
        let problem = problem.next(error.next_step("loopback.listen"));
        self.report_attempt(LoopbackPhase::Waiting, Some(problem));
        retry.wait(BIND_INTERVAL).await;
    }

    fn report_attempt(&self, phase: LoopbackPhase, problem: Option<Problem>) {
        self.reporter
            .report_with(phase, problem, |details| details.attempts += 1);
    }

    /// Writes the token files again whenever an operator requests it. Otherwise only a reload does.
    pub async fn keep_files(&self, access: &RefCell<AccessRules>, retry: &mut RetryListener) {
        loop {
            retry.requested().await;
            self.rewrite_files(access).await;
        }
    }

    /// Writes the token files for the rules of `access` after a reload. A file that is still right stays unchanged, so that
    /// running programs notice nothing. Nothing is written while another program may have the port.
    pub async fn rewrite_files(&self, access: &RefCell<AccessRules>) {
        if self.is_bound() {
            let writing = self.writing.lock().await;
            let known = BearerTokens::clone(&self.tokens());
            let problem = self.write_files(access, known, WriteReason::Reload, writing).await;
            self.report_attempt(LoopbackPhase::Listening, problem);
        }
    }

    /// Writes the token files, and returns the problem with those that are missing. `_writing` proves that nobody else writes.
    async fn write_files(
        &self,
        access: &RefCell<AccessRules>,
        known: BearerTokens,
        reason: WriteReason,
        _writing: MutexGuard<'_, ()>,
    ) -> Option<Problem> {
        let recipients: Vec<_> = access.borrow().token_recipients().collect();
        let folder = self.folder.clone();
        if reason == WriteReason::Start {
            // Programs have these tokens already, so they stay valid even if the folder cannot be written.
            self.tokens.replace(Rc::new(known.clone()));
        }
        match spawn_blocking(move || write_token_files(&folder, recipients, &known, reason)).await {
            Ok(TokenFiles { tokens, problems }) => {
                let with_file = tokens.iter().filter(|token| !token.has_no_file());
                let files = with_file.map(|token| token.file.clone()).collect();
                self.tokens.replace(Rc::new(tokens));
                self.changes.send_modify(|count| *count += 1);
                self.reporter.details(|details| details.token_files = files);
                Problem::joined(problems)
            }
            Err(error) => {
                let problem = Problem::wait(format!("the token files were not written: {}", clean(error)));
                Some(
                    problem
                        .next("systemctl reload gatepost")
                        .about(Event::LoopbackTokenFile),
                )
            }
        }
    }

    /// Returns the inherited listening socket with its tokens, or binds a new one without tokens: while nobody held the port,
    /// another user could bind it and be shown the tokens that programs had.
    async fn acquire_listener(&self, retry: &mut RetryListener) -> (TcpListener, BearerTokens) {
        let inherited = self.inherited.borrow_mut().listener.take();
        if let Some(listener) = inherited {
            return (listener, self.inherited_tokens());
        }
        let folder = self.folder.clone();
        // A failure is logged by the blocking thread itself.
        let _ = spawn_blocking(move || remove_token_files(&folder)).await;
        loop {
            let address = self.address;
            let bound = spawn_blocking(move || port::bind(address)).await;
            match bound.unwrap_or_else(|error| Err(io::Error::other(error).into())) {
                Ok(listener) => return (listener, BearerTokens::default()),
                Err(error) => self.wait_to_listen(&error, retry).await,
            }
        }
    }

    /// Returns the newest inherited tokens for this address.
    fn inherited_tokens(&self) -> BearerTokens {
        let mut newest = (0, Vec::new());
        for (name, file) in self.inherited.borrow().tokens.iter() {
            match unseal(file, self.address) {
                Ok((count, tokens)) if count >= newest.0 => newest = (count, tokens),
                Ok(_) => {}
                Err(reason) => journal!(
                    Level::Warn, Event::DescriptorRefused;
                    "systemd: the stored descriptor {name:?} is not used: {reason}"
                ),
            }
        }
        let (count, tokens) = newest;
        self.changes.send_replace(count);
        BearerTokens::new(tokens)
    }
}

/// Returns the socket for the runtime, and a copy for the next run.
fn register(listener: &TcpListener) -> io::Result<(tokio::net::TcpListener, OwnedFd)> {
    listener.set_nonblocking(true)?;
    let kept = listener.try_clone()?.into();
    Ok((tokio::net::TcpListener::from_std(listener.try_clone()?)?, kept))
}
