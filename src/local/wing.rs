//! The local wing at work: the thread it runs on.

use std::io;
use std::rc::Rc;

use tokio::task::LocalSet;

use super::server;
use super::socket::Socket;
use super::view::Shared;

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
