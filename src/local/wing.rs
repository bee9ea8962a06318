//! The local wing at work: the thread it runs on.

use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::timeout;

use super::socket::SocketDoor;
use super::view::ApiContext;
use super::{loopback, server, thing};
use crate::messages::SessionEvent;

/// At the end, for the requests that are being answered: those that are held back for asking too often need the longest.
const FINISH_PATIENCE: Duration = Duration::from_millis(500);

/// Answers on the socket, on this thread, until `until` is done; returns what that gave.
///
/// # Errors
/// When the runtime does not take the socket.
pub fn run<T>(
    runtime: &Runtime,
    listener: UnixListener,
    shared: Rc<ApiContext>,
    arrivals: mpsc::Receiver<SessionEvent>,
    until: impl Future<Output = T>,
) -> io::Result<T> {
    LocalSet::new().block_on(runtime, async move {
        let door = SocketDoor::new(listener, shared.clone())?;
        let connections = shared.connections.clone();
        let doors = [
            spawn_local(server::serve(Rc::new(door), connections.clone())),
            spawn_local(loopback::listen(shared.clone(), connections.clone())),
        ];
        spawn_local(thing::follow(shared.clone()));
        let inbox = shared.inbox.clone();
        let rules = Rc::downgrade(&shared);
        inbox.set_permission_check(move |owner, filter| {
            // Before the thing name is known, nothing can be said of what rules give; AWS sends nothing before that either.
            let gives = |shared: Rc<ApiContext>| {
                let thing = shared.thing.known()?;
                Some(shared.access.borrow().gives_owner(owner, filter, &thing))
            };
            rules.upgrade().and_then(gives).unwrap_or(true)
        });
        let accounts = shared.access.borrow().accounts().clone();
        let counting = inbox.clone();
        spawn_local(async move { counting.set_user_accounts(accounts).await });
        spawn_local(inbox.clone().run(arrivals));
        let outcome = until.await;
        // Who comes now is the next run's, where systemd listens.
        doors.iter().for_each(JoinHandle::abort);
        inbox.close();
        if timeout(FINISH_PATIENCE, connections.finish()).await.is_err() {
            log::debug!("socket: connections that did not come to an end were closed");
        }
        Ok(outcome)
    })
}
