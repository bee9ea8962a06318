//! Accepts connections for as long as the daemon runs, whatever the callers do and whatever protocol they speak.

use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use log::Level;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{spawn_local, unconstrained, yield_now};
use tokio::time::sleep;

use super::accept_status::AcceptStatus;
use super::connections::{ConnectionSlot, Connections};
use crate::event::{Event, journal};
use crate::local::limits::Origin;

/// Pause after an accept error. Most errors concern one connection; the others (no descriptors left) need a moment to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections accepted in a row before open connections get their turn. A turn costs one poll, so that small bursts accept
/// nearly as fast as large ones, and a response is delayed by some ten microseconds instead of milliseconds (decision 5).
const BURST: usize = 4;

/// Accepts connections, identifies their peers, and serves them.
pub trait Listener: 'static {
    /// The listener's name in messages.
    const NAME: &'static str;
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// The other end of a connection, as far as it is known before it has sent anything.
    type Peer: Display + 'static;

    /// Accepts the next connection.
    async fn accept(&self) -> io::Result<Self::Stream>;
    /// Identifies the peer as far as that costs next to nothing. Returns `None` if the connection was rejected because the
    /// peer connects too often.
    fn identify(&self, stream: &Self::Stream) -> io::Result<Option<(Origin, Self::Peer)>>;
    /// Answers a connection for which there is no slot, if the protocol has an answer. It must be closed soon.
    async fn reject(_listener: Rc<Self>, _stream: Self::Stream) {}
    /// Serves the connection until it ends.
    async fn serve_connection(listener: Rc<Self>, stream: Self::Stream, peer: Self::Peer, slot: ConnectionSlot);
}

/// Accepts connections until the runtime ends. An accept error does not end it, and is reported to `status`.
pub async fn accept_connections<L: Listener>(listener: Rc<L>, connections: Connections, status: Rc<AcceptStatus>) {
    let report = status.listener(L::NAME);
    loop {
        match listener.accept().await {
            Ok(stream) => {
                report.recover();
                admit(&listener, stream, &connections);
                for _ in 0..BURST {
                    match accept_pending(&*listener).await {
                        Some(Ok(stream)) => admit(&listener, stream, &connections),
                        Some(Err(_)) | None => break,
                    }
                }
                // A queue that fills as fast as it is emptied must not keep open connections waiting.
                yield_now().await;
            }
            Err(error) => {
                report.fail(&error);
                sleep(ACCEPT_PAUSE).await;
                match accept_pending(&*listener).await {
                    Some(Ok(stream)) => {
                        report.recover();
                        admit(&listener, stream, &connections);
                    }
                    // Whoever had to wait has given up.
                    None => report.recover(),
                    Some(Err(_)) => {}
                }
            }
        }
    }
}

/// Accepts a connection that is pending already. Until the queue is empty the kernel has less room for others, so this does
/// not yield to other tasks.
async fn accept_pending<L: Listener>(listener: &L) -> Option<io::Result<L::Stream>> {
    let mut next = pin!(unconstrained(listener.accept()));
    poll_fn(|context| match next.as_mut().poll(context) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Serves a connection in a task of its own, if there is a slot for it.
fn admit<L: Listener>(listener: &Rc<L>, stream: L::Stream, connections: &Connections) {
    let (origin, peer) = match listener.identify(&stream) {
        Ok(Some(identified)) => identified,
        Ok(None) => return,
        Err(error) => {
            return journal!(
                Level::Warn, Event::CallerUnknown;
                "{}: a connection was closed because the kernel does not identify its peer: {error}",
                L::NAME
            );
        }
    };
    match connections.enter(origin) {
        Some(slot) => drop(spawn_local(L::serve_connection(listener.clone(), stream, peer, slot))),
        None => {
            log::debug!("{}: no connection slot for {peer}: all are busy", L::NAME);
            spawn_local(L::reject(listener.clone(), stream));
        }
    }
}

#[cfg(test)]
mod tests;
