//! The loopback listener: the same credentials for SDKs that can only speak TCP (their container providers). Off unless
//! configured.
//!
//! TCP has no word of the kernel's about the caller, so a caller shows a token out of a file that only those can read
//! whom an access rule is for. The way of a request: `door` (`host`) -> `tokens` -> the same resources as on the socket.
//!
//! An SDK shows its token to whoever has the port (`port`), so the service manager keeps the listening socket and the tokens
//! (`handover`) from one run to the next, and tokens are as old as the socket.

mod acl;
mod door;
mod examine;
mod files;
mod handover;
mod host;
mod place;
mod port;
mod port_holder;
mod secret_file;
mod tokens;

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
use tokio::time::sleep;

use super::access::AccessRules;
use super::connections::Connections;
use super::server;
use super::view::ApiContext;
use crate::event::{Event, journal};
use crate::foreign_text::clean;
use crate::problem::Problem;
use crate::status::{LoopbackDetails, LoopbackPart, LoopbackPhase, Reporter, StatusHub};
use door::LoopbackDoor;
use files::{Layout, Occasion};
use tokens::Tokens;

pub use examine::examine_token_files;
pub use place::LoopbackPlace;
pub use port_holder::PortHolder;
pub use secret_file::give_token_file_to;
pub use tokens::{Reader, Recipient};

/// Between two attempts to get the address.
const BIND_PAUSE: Duration = Duration::from_secs(10);

/// What an earlier run of the daemon has left with the service manager, or a socket unit holds.
#[derive(Debug, Default)]
pub struct Inherited {
    /// The listening socket, bound to the configured address.
    pub listener: Option<TcpListener>,
    /// Whether the service manager keeps the socket already.
    pub is_kept: bool,
    /// Sealed files with tokens, by the names that they are kept under.
    pub tokens: Vec<(String, OwnedFd)>,
}

/// The listener, as everything in the local wing sees it.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    folder: PathBuf,
    tokens: RefCell<Rc<Tokens>>,
    inherited: RefCell<Inherited>,
    /// Held while the token files are written: what is known must be what is laid out.
    writing: Mutex<()>,
    /// The socket once it is bound; nothing is laid out before.
    bound: RefCell<Option<OwnedFd>>,
    /// Counts what there is to be kept for the next run.
    changes: watch::Sender<u64>,
    reporter: Reporter<LoopbackPhase, LoopbackDetails>,
}

impl Loopback {
    /// A listener for `address` with its token files in `folder`, not listening yet.
    fn new(address: SocketAddr, folder: PathBuf, hub: &StatusHub, inherited: Inherited) -> Self {
        let details = LoopbackDetails {
            listen: address.to_string(),
            token_files: Vec::new(),
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

    /// The configuration has another listener, or none, in the place of this one: its port is closed, and its tokens open nothing.
    fn retire(&self) {
        self.tokens.replace(Rc::default());
        self.bound.replace(None);
    }

    /// The problem that it has at the moment.
    pub fn problem(&self) -> Option<Problem> {
        self.reporter.watch().borrow().problem.clone()
    }

    /// A reading end of its state.
    pub fn watch(&self) -> watch::Receiver<LoopbackPart> {
        self.reporter.watch()
    }

    /// Where programs find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The tokens that are laid out.
    pub fn tokens(&self) -> Rc<Tokens> {
        self.tokens.borrow().clone()
    }

    /// Whether the port is ours.
    pub fn is_bound(&self) -> bool {
        self.bound.borrow().is_some()
    }

    /// Changes whenever there is something else to be kept for the next run.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The listening socket, where the service manager does not keep it yet.
    ///
    /// # Errors
    /// When there is no descriptor left for a copy.
    pub fn listener_to_keep(&self) -> io::Result<Option<OwnedFd>> {
        match (&*self.bound.borrow(), self.inherited.borrow().is_kept) {
            (Some(listener), false) => listener.try_clone().map(Some),
            _ => Ok(None),
        }
    }

    /// The tokens of gatepost's own, in the form in which they pass to the next run.
    ///
    /// # Errors
    /// When the kernel gives no file for them.
    pub fn tokens_to_keep(&self) -> io::Result<OwnedFd> {
        let tokens = self.tokens();
        let own = tokens.iter().filter(|token| !token.is_given);
        handover::seal(own, self.address, *self.changes.borrow())
    }

    /// Lays out the token files for the rules of `access`, which were read again: a file that is there for the same people stays
    /// as it is, so that running programs notice nothing. Nothing is laid out while somebody else may have the port.
    pub async fn lay_out_again(&self, access: &RefCell<AccessRules>) {
        if self.is_bound() {
            let writing = self.writing.lock().await;
            let known = Tokens::clone(&self.tokens());
            let problem = self.lay_out(access, known, Occasion::Reload, writing).await;
            self.reporter.report(LoopbackPhase::Listening, problem);
        }
    }

    /// Returns the problem with those that are missing. `_writing` shows that nobody else is at it.
    async fn lay_out(
        &self,
        access: &RefCell<AccessRules>,
        known: Tokens,
        occasion: Occasion,
        _writing: MutexGuard<'_, ()>,
    ) -> Option<Problem> {
        let recipients: Vec<_> = access.borrow().recipients().collect();
        let folder = self.folder.clone();
        if occasion == Occasion::Start {
            // Programs have these tokens already: they stay good where the folder cannot be written.
            self.tokens.replace(Rc::new(known.clone()));
        }
        match spawn_blocking(move || files::lay_out(&folder, recipients, &known, occasion)).await {
            Ok(Layout { tokens, problems }) => {
                let laid_out = tokens.iter().filter(|token| !token.has_no_file());
                let files = laid_out.map(|token| token.file.clone()).collect();
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

    /// The listening socket of the run before with its tokens, or a new one and none: while nobody held the port somebody
    /// else could have it, and could be shown the tokens that were out.
    async fn listener(&self) -> (TcpListener, Tokens) {
        let inherited = self.inherited.borrow_mut().listener.take();
        if let Some(listener) = inherited {
            return (listener, self.inherited_tokens());
        }
        let folder = self.folder.clone();
        // What cannot be waited for is said by the thread itself.
        let _ = spawn_blocking(move || files::remove(&folder)).await;
        loop {
            let address = self.address;
            let bound = spawn_blocking(move || port::bind(address)).await;
            match bound.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(listener) => return (listener, Tokens::default()),
                Err(why) => {
                    let problem = Problem::configuration(format!("the loopback listener cannot have {address}: {why}"));
                    let step = "give it another port (loopback.listen), or end the program that has this one; ss -tnlp shows it, and without -l its connections";
                    self.reporter.report(LoopbackPhase::Waiting, Some(problem.next(step)));
                    sleep(BIND_PAUSE).await;
                }
            }
        }
    }

    /// The newest tokens that fit the listener.
    fn inherited_tokens(&self) -> Tokens {
        let mut newest = (0, Vec::new());
        for (name, file) in self.inherited.borrow().tokens.iter() {
            match handover::unseal(file, self.address) {
                Ok((count, tokens)) if count >= newest.0 => newest = (count, tokens),
                Ok(_) => {}
                Err(why) => journal!(
                    Level::Warn, Event::DescriptorRefused;
                    "systemd: the stored descriptor {name:?} is not taken over: {why}"
                ),
            }
        }
        let (count, tokens) = newest;
        self.changes.send_replace(count);
        Tokens::new(tokens)
    }
}

/// Listens by the configuration as it is, lays out the token files and answers, for as long as the daemon runs.
pub async fn listen(shared: Rc<ApiContext>, connections: Connections) {
    let mut configured = shared.loopback.watch();
    loop {
        let loopback = configured.borrow_and_update().clone();
        let listening = async {
            match &loopback {
                Some(loopback) => listen_at(loopback, &shared, &connections).await,
                None => shared.loopback.remove_files().await,
            }
            // Until the configuration has another one.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = listening => {}
            changed = configured.changed() => if changed.is_err() { return },
        }
        if let Some(loopback) = loopback {
            loopback.retire();
        }
    }
}

/// Listens at an address; one that is taken is tried again.
async fn listen_at(loopback: &Rc<Loopback>, shared: &Rc<ApiContext>, connections: &Connections) {
    let (listener, known) = loopback.listener().await;
    // Before the port is known to be ours: a reload that saw it would lay out without the tokens of the run before.
    let writing = loopback.writing.lock().await;
    let ready = || {
        listener.set_nonblocking(true)?;
        loopback.bound.replace(Some(listener.try_clone()?.into()));
        tokio::net::TcpListener::from_std(listener)
    };
    let listener = match ready() {
        Ok(listener) => listener,
        Err(error) => {
            let problem = Problem::wait(format!("the loopback listener cannot be used: {error}"));
            return loopback.reporter.report(LoopbackPhase::Waiting, Some(problem));
        }
    };
    let problem = loopback.lay_out(&shared.access, known, Occasion::Start, writing).await;
    loopback.reporter.report(LoopbackPhase::Listening, problem);
    let door = LoopbackDoor::new(listener, loopback.clone(), shared.clone());
    server::serve(Rc::new(door), connections.clone()).await;
}
