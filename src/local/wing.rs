//! The local wing at work: the thread it runs on.

use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;

use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::server;
use super::view::Shared;

/// Answers on the socket, on this thread, until `until` is done; returns what that gave.
///
/// # Errors
/// When the runtime does not take the socket.
pub fn run<T>(
    runtime: &Runtime,
    listener: UnixListener,
    shared: Rc<Shared>,
    until: impl Future<Output = T>,
) -> io::Result<T> {
    LocalSet::new().block_on(runtime, async move {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        tokio::task::spawn_local(server::serve(listener, shared));
        Ok(until.await)
    })
}
