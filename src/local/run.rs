//! Runs the local thread: the listeners and the tasks that serve them.

use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::timeout;

use super::context::ApiContext;
use super::limits::MQTT_SLOTS;
use super::listeners::{Connections, UnixSocketListener, accept_connections, listen_for_mqtt, listen_on_loopback};
use crate::messages::SessionEvent;
use crate::retry::RetryTarget;

/// Maximum time for open requests at the end. Requests that are delayed by the rate limit need the longest.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Serves local programs on this thread until `until` completes, and returns its output.
///
/// # Errors
/// If the runtime does not accept the socket.
pub fn run<T>(
    runtime: &Runtime,
    listener: UnixListener,
    context: Rc<ApiContext>,
    session_events: mpsc::Receiver<SessionEvent>,
    until: impl Future<Output = T>,
) -> io::Result<T> {
    LocalSet::new().block_on(runtime, async move {
        let listener = UnixSocketListener::new(listener, context.clone())?;
        let connections = context.connections.clone();
        let mqtt_connections = Connections::new(&MQTT_SLOTS);
        let listeners = [
            spawn_local(accept_connections(
                Rc::new(listener),
                connections.clone(),
                context.accepting.clone(),
            )),
            spawn_local(listen_on_loopback(context.clone(), connections.clone())),
            spawn_local(listen_for_mqtt(context.clone(), mqtt_connections.clone())),
        ];
        let credentials_files = context.credentials_files.clone();
        let retry = context.retries.listen(RetryTarget::CredentialsFiles);
        spawn_local(credentials_files.keep(context.cache.clone(), context.clock.clone(), retry));
        let publishing = context.clone();
        spawn_local(async move { publishing.mqtt.run(publishing.outbox.clone()).await });
        let inbox = context.inbox.clone();
        let identity = context.board.identity.clone();
        let thing_name = context.thing_name.clone();
        spawn_local(thing_name.follow(identity, inbox.clone(), context.outbox.clone()));
        let weak_context = Rc::downgrade(&context);
        inbox.set_permission_check(move |owner, filter| {
            // Without the thing name the rules cannot be evaluated. AWS sends nothing before it is known.
            let may_subscribe = |context: Rc<ApiContext>| {
                let thing = context.thing_name.known()?;
                Some(context.access.borrow().owner_may_subscribe(owner, filter, &thing))
            };
            weak_context.upgrade().and_then(may_subscribe).unwrap_or(true)
        });
        let accounts = context.access.borrow().accounts().clone();
        let counting = inbox.clone();
        spawn_local(async move { counting.set_user_accounts(accounts).await });
        spawn_local(inbox.clone().run(session_events));
        let output = until.await;
        // With socket activation systemd keeps listening, and later connections are for the next run.
        listeners.iter().for_each(JoinHandle::abort);
        inbox.close();
        let finish = async { tokio::join!(connections.finish(), mqtt_connections.finish()) };
        if timeout(SHUTDOWN_TIMEOUT, finish).await.is_err() {
            log::debug!("socket: connections that did not end in time were closed");
        }
        Ok(output)
    })
}
