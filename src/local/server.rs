//! Accepts connections and speaks HTTP/1.1 on each, for as long as the daemon runs and whatever the callers do.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use log::Level;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{spawn_local, unconstrained, yield_now};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use super::admission::Origin;
use super::answer::Answer;
use super::body::Body;
use super::connections::{Connections, Entered, NoRoom};
use crate::event::{Event, journal};

/// For a request's head, and between two requests on one connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// For a caller to read on. Without any: a stream's reader may have nothing to read for days.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// A request's head. Ours have a few hundred bytes, but for a message's properties, which AWS names in header fields.
const MAX_HEAD: usize = 16 * 1024;
/// Header fields in a request.
const MAX_HEADERS: usize = 32;
/// At the end of the daemon, for a caller that has connected and not asked yet. It asks within a millisecond.
const FIRST_REQUEST: Duration = Duration::from_millis(100);
/// After an accept error. Most are about one connection; the others (no descriptors left) need a moment to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections accepted in a row before the requests on open connections get their turn. A turn costs one poll, so that small bursts
/// accept nearly as fast as large ones, and an answer waits for some ten microseconds instead of milliseconds (decision 5).
const BURST: usize = 4;

/// Where callers come in.
pub trait Door: 'static {
    /// The door as messages name it.
    const NAME: &'static str;
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// What is known of a caller before it has asked.
    type Guest: Display + 'static;

    /// The next connection.
    async fn accept(&self) -> io::Result<Self::Stream>;
    /// Who is at its other end, as far as that costs next to nothing; `None` where the caller connects too often, and is
    /// sent away.
    fn greet(&self, stream: &Self::Stream) -> io::Result<Option<(Origin, Self::Guest)>>;
    /// Waits until the caller has sent something.
    async fn readable(&self, stream: &Self::Stream) -> io::Result<()>;
    /// Finds out the rest about a caller that has sent something, and whose place it is.
    ///
    /// # Errors
    /// When there is no place for it.
    fn identify(&self, stream: &Self::Stream, guest: &mut Self::Guest, place: &Entered) -> Result<(), NoRoom>;
    /// Answers one request.
    async fn answer(&self, guest: &Self::Guest, place: &Entered, request: Request<Incoming>) -> Answer;
}

/// Accepts until the runtime ends. An accept error never ends it.
pub async fn serve<D: Door>(door: Rc<D>, connections: Connections) {
    let mut failing = false;
    loop {
        match door.accept().await {
            Ok(stream) => {
                failing = false;
                admit(&door, stream, &connections);
                for _ in 0..BURST {
                    match accept_now(&*door).await {
                        Some(Ok(stream)) => admit(&door, stream, &connections),
                        Some(Err(_)) | None => break,
                    }
                }
                // A queue that fills as fast as it is emptied would keep all others waiting.
                yield_now().await;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    journal!(Level::Error, Event::AcceptFailing; "{}: accepting fails, and is tried again: {error}", D::NAME);
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection that waits already. Until all of them are taken the kernel has less room for others, so this takes no turns with
/// other tasks.
async fn accept_now<D: Door>(door: &D) -> Option<io::Result<D::Stream>> {
    let mut next = pin!(unconstrained(door.accept()));
    poll_fn(|context| match next.as_mut().poll(context) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn admit<D: Door>(door: &Rc<D>, stream: D::Stream, connections: &Connections) {
    let (origin, guest) = match door.greet(&stream) {
        Ok(Some(known)) => known,
        Ok(None) => return,
        Err(error) => {
            return journal!(
                Level::Warn, Event::CallerUnknown;
                "{}: a caller that the kernel does not name was sent away: {error}",
                D::NAME
            );
        }
    };
    match connections.enter(origin) {
        Some(entered) => drop(spawn_local(converse(door.clone(), stream, guest, entered))),
        None => log::debug!(
            "{}: {guest} has no connection left that could make room for another",
            D::NAME
        ),
    }
}

/// Waits for a request's first bytes. Until then nothing is spent on a connection.
async fn has_begun<D: Door>(door: &D, stream: &D::Stream, entered: &Entered) -> bool {
    let mut readable = pin!(door.readable(stream));
    tokio::select! {
        // In this order: what has already arrived is answered before its connection makes room.
        biased;
        outcome = readable.as_mut() => outcome.is_ok(),
        () = entered.connection.asked_to_leave() => false,
        // A caller that has connected just now gets a moment to ask.
        () = entered.asked_to_finish() => timeout(FIRST_REQUEST, readable).await.is_ok(),
        () = sleep(HEAD_PATIENCE) => false,
    }
}

async fn converse<D: Door>(door: Rc<D>, stream: D::Stream, mut guest: D::Guest, entered: Entered) {
    if !has_begun(&*door, &stream, &entered).await {
        return log::debug!("{}: a connection of {guest} ended, on which nothing had come", D::NAME);
    }
    if door.identify(&stream, &mut guest, &entered).is_err() {
        return log::debug!(
            "{}: {guest} has no connection left that could make room for another",
            D::NAME
        );
    }
    let guest = guest;
    let service = service_fn(|request| {
        entered.heard();
        let (door, guest) = (&door, &guest);
        let entered = &entered;
        async move {
            let busy = entered.busy();
            let answer = door.answer(guest, entered, request).await;
            // A stream lasts as long as its connection.
            match answer.body() {
                Body::Lines(_) => busy.for_good(),
                Body::Whole(_) => drop(busy),
            }
            Ok::<_, Infallible>(answer)
        }
    });
    // A program that reads nothing while there is something for it has hung.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_PATIENCE));
    let mut connection = pin!(protocol().serve_connection(TokioIo::new(Box::pin(stream)), service));
    let outcome = tokio::select! {
        // In this order: a request that has already arrived is answered before its connection makes room.
        biased;
        outcome = connection.as_mut() => outcome,
        () = entered.connection.asked_to_leave() => {
            if !entered.connection.is_busy() {
                return log::debug!("{}: a quiet connection of {guest} made room for another", D::NAME);
            }
            // A request began after the connection was chosen: it is answered first.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = entered.asked_to_finish() => {
            // A caller that has connected just now gets a moment to ask; the others get what they have asked for.
            let fresh = !entered.connection.has_asked();
            match if fresh { timeout(FIRST_REQUEST, connection.as_mut()).await.ok() } else { None } {
                Some(outcome) => outcome,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = outcome {
        // The caller's fault, and the caller has been told where HTTP has words for it.
        log::debug!("{}: connection of {guest} ended: {error}", D::NAME);
    }
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    protocol
}

#[cfg(test)]
mod tests;
