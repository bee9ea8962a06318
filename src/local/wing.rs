//! The local wing at work: the thread it runs on, and what every answer is made from.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;

use super::access::Access;
use super::{server, socket::Socket};
use crate::clock::SharedClock;
use crate::credentials::Shelf;
use crate::status::Board;

/// The local wing's view of the house: snapshots only, nothing that could be waited for.
#[derive(Debug)]
pub struct Shared {
    /// The clock that credentials age by.
    pub clock: SharedClock,
    /// When the daemon started, by the boottime clock.
    pub started: Duration,
    /// Every part's state.
    pub board: Board,
    /// Every alias's credentials.
    pub shelf: Shelf,
    /// Who may have what; replaced as a whole when the configuration is read again.
    pub access: RefCell<Access>,
}

/// Answers on the socket, on this thread, until `until` is done; returns what that gave.
///
/// # Errors
/// When the system gives no runtime.
pub fn run<T>(socket: Socket, shared: Rc<Shared>, until: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async move {
        // The lock in the socket is held for as long as the answers go on.
        let listener = tokio::net::UnixListener::from_std(socket.listener.try_clone()?)?;
        tokio::task::spawn_local(server::serve(listener, shared));
        let outcome = until.await;
        drop(socket);
        Ok(outcome)
    })
}
