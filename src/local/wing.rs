//! The local wing at work: the thread it runs on.

use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use super::connections::Connections;
use super::socket::SocketDoor;
use super::view::Shared;
use super::{loopback, server, thing};
use crate::messages::Arrival;

/// Answers on the socket, on this thread, until `until` is done; returns what that gave.
///
/// # Errors
/// When the runtime does not take the socket.
pub fn run<T>(
    runtime: &Runtime,
    listener: UnixListener,
    shared: Rc<Shared>,
    arrivals: mpsc::Receiver<Arrival>,
    until: impl Future<Output = T>,
) -> io::Result<T> {
    LocalSet::new().block_on(runtime, async move {
        let door = SocketDoor::new(listener, shared.clone())?;
        let connections = Connections::default();
        spawn_local(server::serve(Rc::new(door), connections.clone()));
        spawn_local(thing::follow(shared.clone()));
        spawn_local(shared.inbox.clone().run(arrivals));
        spawn_local(loopback::listen(shared, connections));
        Ok(until.await)
    })
}
