//! The loopback listener: the same credentials for SDKs that can only speak TCP (their container providers). Off unless
//! configured.
//!
//! TCP has no word of the kernel's about the caller, so a caller shows a token out of a file that only those can read
//! whom an access rule is for. The way of a request: `door` (Host header) -> `tokens` -> the same resources as on the
//! socket.

mod acl;
mod door;
mod files;
mod host;
mod tokens;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::access::Access;
use super::connections::Connections;
use super::server;
use super::view::Shared;
use crate::config::Config;
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::status::{Desk, Details, Part, Reporter, phases};
use door::LoopbackDoor;
use tokens::Tokens;

pub use tokens::Reader;

/// Between two attempts to get the address.
const BIND_PAUSE: Duration = Duration::from_secs(10);

phases! {
    /// The loopback listener's state.
    LoopbackPhase {
        /// Not listening yet.
        Waiting = "waiting", LoopbackWaiting;
        /// Programs can come.
        Listening = "listening", LoopbackListening;
    }
}

/// What else there is to know of the listener.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoopbackDetails {
    /// Address and port.
    pub listen: String,
    /// The token files that are laid out.
    pub token_files: Vec<PathBuf>,
}

impl Details for LoopbackDetails {}

/// The listener, as everything in the local wing sees it.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    folder: PathBuf,
    tokens: RefCell<Rc<Tokens>>,
    reporter: Reporter<LoopbackPhase, LoopbackDetails>,
}

impl Loopback {
    /// The listener that is configured, not listening yet.
    pub fn new(config: &Config, desk: &Desk) -> Option<Self> {
        let address = config.loopback?;
        let details = LoopbackDetails {
            listen: address.to_string(),
            token_files: Vec::new(),
        };
        Some(Self {
            address,
            folder: config.folders.runtime.join("loopback"),
            tokens: RefCell::default(),
            reporter: desk.reporter("loopback", LoopbackPhase::Waiting, details),
        })
    }

    /// Its state.
    pub fn part(&self) -> Part<LoopbackPhase, LoopbackDetails> {
        self.reporter.watch().borrow().clone()
    }

    /// Where programs find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The tokens that are laid out.
    pub fn tokens(&self) -> Rc<Tokens> {
        self.tokens.borrow().clone()
    }

    /// Lays out the token files for the rules of `access`: a file that is there for the same people stays as it is, so that
    /// running programs notice nothing.
    pub async fn lay_out(&self, access: &RefCell<Access>) {
        let holders: Vec<_> = access.borrow().holders().collect();
        let known = Tokens::clone(&self.tokens());
        let folder = self.folder.clone();
        match spawn_blocking(move || files::lay_out(&folder, holders, &known)).await {
            Ok(Ok(tokens)) => {
                let files = tokens.files().map(ToOwned::to_owned).collect();
                self.tokens.replace(Rc::new(tokens));
                self.reporter.details(|details| details.token_files = files);
            }
            Ok(Err(problem)) => journal!(Level::Error, Event::LoopbackTokenFile; "loopback: {problem}"),
            Err(error) => {
                journal!(Level::Error, Event::LoopbackTokenFile; "loopback: the token files were not written: {error}")
            }
        }
    }
}

/// Lays out the token files and listens, for as long as the daemon runs; an address that is taken is tried again.
pub async fn listen(shared: Rc<Shared>, connections: Connections) {
    let Some(loopback) = &shared.loopback else { return };
    loopback.lay_out(&shared.access).await;
    let listener = loop {
        match tokio::net::TcpListener::bind(loopback.address).await {
            Ok(listener) => break listener,
            Err(error) => {
                let problem = Problem::configuration(format!(
                    "the loopback listener cannot have {}: {error}",
                    loopback.address
                ));
                let step =
                    "give it another port (loopback.listen), or end the program that has this one; ss -tlnp shows it";
                loopback
                    .reporter
                    .report(LoopbackPhase::Waiting, Some(problem.next(step)));
                sleep(BIND_PAUSE).await;
            }
        }
    };
    loopback.reporter.report(LoopbackPhase::Listening, None);
    server::serve(
        Rc::new(LoopbackDoor::new(listener, loopback.address, shared.clone())),
        connections,
    )
    .await;
}
