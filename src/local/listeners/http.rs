//! Speaks HTTP/1.1 on a connection.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use super::connections::{ConnectionEnd, ConnectionSlot, NoSlotError};
use super::server::Listener;
use super::shared_stream::SharedStream;
use crate::local::http::{Response, ResponseBody};

/// Maximum time for a request's head, and between two requests on one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum time that a caller may stop reading while there is something to write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a request's head: a few hundred bytes, except for a message's properties, which AWS puts into header fields.
const MAX_HEAD: usize = 16 * 1024;
/// Maximum number of header fields in a request.
const MAX_HEADERS: usize = 32;
/// Maximum time for the first request of a new connection while the daemon ends. Callers send it within a millisecond.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_millis(100);

/// A listener whose connections speak HTTP.
pub trait HttpListener: Listener {
    /// Waits until the peer has sent something.
    async fn readable(&self, stream: &Self::Stream) -> io::Result<()>;
    /// Identifies completely a peer that has sent something, and moves the connection to its pool.
    ///
    /// # Errors
    /// If that pool has no slot.
    fn complete_identity(
        &self,
        stream: &Self::Stream,
        peer: &mut Self::Peer,
        slot: &ConnectionSlot,
    ) -> Result<(), NoSlotError>;
    /// Responds to a request.
    async fn respond(&self, peer: &Self::Peer, slot: &ConnectionSlot, request: Request<Incoming>) -> Response;
}

/// Waits for the first bytes of a request. Nothing is spent on a connection before.
async fn wait_for_request<L: HttpListener>(listener: &L, stream: &L::Stream, slot: &ConnectionSlot) -> bool {
    let mut readable = pin!(listener.readable(stream));
    tokio::select! {
        // In this order, so that a request that has arrived is answered before the connection is evicted.
        biased;
        outcome = readable.as_mut() => outcome.is_ok(),
        end = slot.connection.ending() => match end {
            ConnectionEnd::Evicted => false,
            ConnectionEnd::ShuttingDown => timeout(FIRST_REQUEST_TIMEOUT, readable).await.is_ok(),
        },
        () = sleep(HEAD_TIMEOUT) => false,
    }
}

/// Serves HTTP on a connection until it ends.
pub async fn serve_http<L: HttpListener>(listener: Rc<L>, stream: L::Stream, mut peer: L::Peer, slot: ConnectionSlot) {
    if !wait_for_request(&*listener, &stream, &slot).await {
        return log::debug!("{}: a connection of {peer} ended without a request", L::NAME);
    }
    if listener.complete_identity(&stream, &mut peer, &slot).is_err() {
        return log::debug!("{}: no connection slot for {peer}: all are busy", L::NAME);
    }
    let peer = peer;
    let stream_started = Notify::new();
    let service = service_fn(|request| {
        slot.record_request();
        let (listener, peer, slot, stream_started) = (&listener, &peer, &slot, &stream_started);
        async move {
            let busy = slot.mark_busy();
            let response = listener.respond(peer, slot, request).await;
            match response.body() {
                // A stream lasts as long as its connection.
                ResponseBody::Lines(_) => {
                    busy.keep();
                    stream_started.notify_one();
                }
                ResponseBody::Full(_) => drop(busy),
            }
            Ok::<_, Infallible>(response)
        }
    });
    let shared = SharedStream::new(stream);
    // hyper does not notice that the caller is gone while it holds bytes that came after the request of a stream, such as the next
    // request (proto/h1/conn.rs, mid_message_detect_eof). A stream never ends, so such a request is never answered.
    let mut caller_gone = pin!(async {
        stream_started.notified().await;
        shared.discard(MAX_HEAD).await;
    });
    // Only writes time out: a subscription may have nothing to send for days.
    let mut stream = TimeoutStream::new(shared.clone());
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let mut connection = pin!(protocol().serve_connection(TokioIo::new(Box::pin(stream)), service));
    let ended = tokio::select! {
        // In this order, so that a request that has arrived is answered before the connection is evicted.
        biased;
        outcome = connection.as_mut() => Some(outcome),
        () = caller_gone.as_mut() => return log::debug!("{}: {peer} closed its stream, or sent too much behind it", L::NAME),
        end = slot.connection.ending() => match end {
            ConnectionEnd::Evicted if !slot.connection.is_busy() => {
                return log::debug!("{}: an idle connection of {peer} was evicted", L::NAME);
            }
            // A new connection gets a moment for its first request.
            ConnectionEnd::ShuttingDown if !slot.connection.has_requested() => {
                timeout(FIRST_REQUEST_TIMEOUT, connection.as_mut()).await.ok()
            }
            ConnectionEnd::Evicted | ConnectionEnd::ShuttingDown => None,
        }
    };
    let outcome = match ended {
        Some(outcome) => outcome,
        None => {
            // The responses that are due are sent first.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                outcome = connection => outcome,
                () = caller_gone => return log::debug!("{}: {peer} closed its stream, or sent too much behind it", L::NAME),
            }
        }
    };
    if let Err(error) = outcome {
        // Debug only: the caller caused it, and got an error response where HTTP has one.
        log::debug!("{}: connection of {peer} ended: {error}", L::NAME);
    }
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    protocol
}

#[cfg(test)]
mod tests;
