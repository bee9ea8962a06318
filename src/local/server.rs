//! Accepts connections and speaks HTTP/1.1 on each, for as long as the daemon runs and whatever the callers do.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::spawn_local;

use super::callers::{Callers, Entered};
use super::peer::Peer;
use super::resources;
use super::view::Shared;

/// For a request's head, and between two requests on one connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// A request's head; hyper's smallest buffer. Ours have a few hundred bytes.
const MAX_HEAD: usize = 8192;
/// Header fields in a request.
const MAX_HEADERS: usize = 32;
/// After an accept error. Most are about one connection; the others (no descriptors left) need a moment to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the runtime ends. An accept error never ends it.
pub async fn serve(listener: UnixListener, shared: Rc<Shared>) {
    let callers = Callers::default();
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                failing = false;
                admit(stream, &callers, &shared);
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    log::error!("socket: accepting fails, and is tried again: {error}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(stream: UnixStream, callers: &Callers, shared: &Rc<Shared>) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => return log::warn!("socket: a caller that the kernel does not name was sent away: {error}"),
    };
    spawn_local(converse(stream, peer, callers.enter(peer.uid), shared.clone()));
}

async fn converse(stream: UnixStream, peer: Peer, entered: Entered, shared: Rc<Shared>) {
    let service = service_fn(|request| {
        entered.heard();
        let answer = resources::answer(&shared, peer, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = protocol().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // In this order: a request that has already arrived is answered before its connection makes room.
        biased;
        outcome = connection => if let Err(error) = outcome {
            // The caller's fault, and the caller has been told where HTTP has words for it.
            log::debug!("socket: connection of {peer} ended: {error}");
        },
        () = entered.caller.asked_to_leave() => log::debug!("socket: a quiet connection of {peer} made room for another"),
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
