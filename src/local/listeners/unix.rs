//! The listener on the Unix socket, which every user may connect to.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;

use hyper::Request;
use hyper::body::Incoming;

use super::connections::{ConnectionSlot, NoSlotError};
use super::http::{HttpListener, serve_http};
use super::server::Listener;
use super::socket_file::replace_socket_file;
use crate::config::Folders;
use crate::instance_lock::{already_running, cannot_create};
use crate::local::access::is_dynamic_user;
use crate::local::api;
use crate::local::caller::{Caller, Peer, socket_holds_process};
use crate::local::context::ApiContext;
use crate::local::http::{ApiError, Response};
use crate::local::limits::Origin;
use crate::problem::Fatal;

/// The response to a caller that connects too often. It is sent before the request is read, so that it costs next to nothing.
const TOO_MANY_CONNECTIONS: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 96\r\n\r\n\
{\"code\":\"too_many_requests\",\"message\":\"too many connections at once; keep one open\",\"hint\":null}";

/// Binds the socket, replacing one that an earlier run left behind. `passed` is the socket if systemd listens on it already; its
/// file and permissions are then systemd's. The caller must hold the instance lock.
///
/// # Errors
/// If another instance answers at the socket, or it cannot be bound.
pub fn bind_socket(folders: &Folders, passed: Option<UnixListener>) -> Result<UnixListener, Fatal> {
    let path = socket_path(folders);
    let failed = |error: io::Error| cannot_create(&path, &error);
    if let Some(listener) = passed {
        listener.set_nonblocking(true).map_err(failed)?;
        return Ok(listener);
    }
    // Nobody answers at a stale socket file. An instance that does answer has another state folder, and so another lock.
    if UnixStream::connect(&path).is_ok() {
        return Err(already_running(&format!("it answers at {}", path.display())));
    }
    replace_socket_file(&path).map_err(failed)
}

/// Returns the path of the socket.
pub fn socket_path(folders: &Folders) -> PathBuf {
    folders.runtime.join("gatepost.sock")
}

/// The listener on the Unix socket.
#[derive(Debug)]
pub struct UnixSocketListener {
    listener: tokio::net::UnixListener,
    context: Rc<ApiContext>,
}

impl UnixSocketListener {
    /// Creates a listener from a bound socket.
    ///
    /// # Errors
    /// If the runtime does not accept the socket.
    pub fn new(listener: UnixListener, context: Rc<ApiContext>) -> io::Result<Self> {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok(Self { listener, context })
    }

    async fn limit_rate(&self, caller: &Caller) -> Result<(), ApiError> {
        let limiter = &self.context.rate_limiter;
        let is_exempt = matches!(caller, Caller::Peer(peer) if limiter.is_exempt(peer.uid));
        let is_unnamed = !is_exempt && !self.context.access.borrow().has_rule_for(caller);
        match is_unnamed {
            true => limiter
                .admit_unnamed(&Origin::Unnamed)
                .map_err(|error| ApiError::from(error).and_close()),
            false => Ok(limiter.admit(caller).await?),
        }
    }
}

impl Listener for UnixSocketListener {
    const NAME: &'static str = "socket";
    type Stream = tokio::net::UnixStream;
    type Peer = Caller;

    async fn accept(&self) -> io::Result<Self::Stream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn identify(&self, stream: &Self::Stream) -> io::Result<Option<(Origin, Caller)>> {
        let (origin, peer) = identify_peer(&self.context, stream)?;
        if !self.context.rate_limiter.admits_connection(&origin) {
            // A response that cannot be sent at once is not sent at all.
            let _ = stream.try_write(TOO_MANY_CONNECTIONS);
            return Ok(None);
        }
        Ok(Some((origin, look_up_early(&self.context, stream, peer))))
    }

    async fn serve_connection(listener: Rc<Self>, stream: Self::Stream, peer: Caller, slot: ConnectionSlot) {
        serve_http(listener, stream, peer, slot).await;
    }
}

impl HttpListener for UnixSocketListener {
    async fn readable(&self, stream: &Self::Stream) -> io::Result<()> {
        stream.readable().await
    }

    fn complete_identity(
        &self,
        stream: &Self::Stream,
        caller: &mut Caller,
        slot: &ConnectionSlot,
    ) -> Result<(), NoSlotError> {
        slot.move_to(complete_peer(&self.context, stream, caller))
    }

    async fn respond(&self, caller: &Caller, _: &ConnectionSlot, request: Request<Incoming>) -> Response {
        let result = match self.limit_rate(caller).await {
            Ok(()) => api::respond_on_socket(&self.context, caller, request).await,
            Err(error) => Err(error),
        };
        let response = result.unwrap_or_else(ApiError::into_response);
        self.context
            .request_counts
            .count(Self::NAME, response.status().as_u16());
        response
    }
}

/// Returns the origin of a peer. `is_named` says whether an access rule names it.
fn origin_of(context: &ApiContext, peer: &Peer, is_named: bool) -> Origin {
    match is_named {
        _ if context.rate_limiter.is_exempt(peer.uid) => Origin::Trusted,
        true => Origin::User(peer.account),
        false => Origin::Unnamed,
    }
}

/// Asks the kernel who is at the other end of a new connection, as far as that costs next to nothing.
///
/// # Errors
/// If the kernel does not know.
pub fn identify_peer(context: &ApiContext, stream: &tokio::net::UnixStream) -> io::Result<(Origin, Peer)> {
    let mut peer = Peer::from_stream(stream)?;
    let access = context.access.borrow();
    peer.account = access.accounts().account_uid(peer.uid);
    let origin = origin_of(context, &peer, access.may_name(peer.uid, peer.gid));
    Ok((origin, peer))
}

/// Looks up the unit of a new peer where the socket does not hold the process, which may be gone later.
pub fn look_up_early(context: &ApiContext, stream: &tokio::net::UnixStream, mut peer: Peer) -> Caller {
    if !socket_holds_process() && context.access.borrow().has_units() {
        peer.look_up_unit(stream);
    }
    Caller::Peer(peer)
}

/// Completes the identity of a peer that has sent something, and returns its origin.
pub fn complete_peer(context: &ApiContext, stream: &tokio::net::UnixStream, caller: &mut Caller) -> Origin {
    let access = context.access.borrow();
    let Caller::Peer(peer) = caller else {
        return Origin::WithoutToken;
    };
    // The rules need the unit, and so does the hint for a caller with a dynamic user.
    if socket_holds_process() && (access.has_units() || is_dynamic_user(peer.uid)) {
        peer.look_up_unit(stream);
    }
    let peer = peer.clone();
    origin_of(context, &peer, access.has_rule_for(caller))
}
