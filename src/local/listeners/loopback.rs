//! The loopback listener: credentials and messages for SDKs that can only speak TCP. Off unless configured.
//!
//! The kernel does not say who is at the other end of a TCP connection, so a caller presents a token from a file that only
//! the recipients of an access rule can read.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};
use hyper::{Request, StatusCode};
use tokio::net::{TcpListener, TcpStream};

use super::connections::{ConnectionSlot, Connections, NoSlotError};
use super::host_header::check_host;
use super::http::{HttpListener, serve_http};
use super::server::{Listener, accept_connections};
use crate::local::api;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{ApiError, Response, single_header};
use crate::local::limits::{Origin, PER_ORIGIN};
use crate::local::loopback::Loopback;
use crate::problem::Problem;
use crate::retry::RetryTarget;

/// Start of the Authorization header of a request that an SDK has signed (SigV4).
const SIGNED: &[u8] = b"AWS4-HMAC-SHA256 ";
/// The header field with the session token of such a request.
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Listens as configured, writes the token files and serves callers, for as long as the daemon runs.
pub async fn listen_on_loopback(context: Rc<ApiContext>, connections: Connections) {
    let mut configured = context.loopback.watch();
    let mut retry = context.retries.listen(RetryTarget::Listeners);
    loop {
        let loopback = configured.borrow_and_update().clone();
        let listening = async {
            match &loopback {
                Some(loopback) => {
                    let socket = loopback.start(&context.access, &mut retry).await;
                    let listener = LoopbackListener::new(socket, loopback.clone(), context.clone());
                    let accepting = context.accepting.clone();
                    tokio::select! {
                        () = accept_connections(Rc::new(listener), connections.clone(), accepting) => {}
                        () = loopback.keep_files(&context.access, &mut retry) => {}
                    }
                }
                None => context.loopback.remove_files().await,
            }
            // Nothing else to do until the configuration changes.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = listening => {}
            changed = configured.changed() => if changed.is_err() { return },
        }
        if let Some(loopback) = loopback {
            loopback.retire();
        }
    }
}

/// The listener on a loopback address.
#[derive(Debug)]
pub struct LoopbackListener {
    listener: TcpListener,
    loopback: Rc<Loopback>,
    context: Rc<ApiContext>,
}

impl LoopbackListener {
    /// Creates a listener from the socket and the state of `loopback`.
    fn new(listener: TcpListener, loopback: Rc<Loopback>, context: Rc<ApiContext>) -> Self {
        Self {
            listener,
            loopback,
            context,
        }
    }

    async fn handle(&self, slot: &ConnectionSlot, request: Request<Incoming>) -> Result<Response, ApiError> {
        check_host(request.uri(), request.headers(), self.loopback.address()).map_err(|name| {
            self.context.audit.log_wrong_host(&name);
            ApiError::new(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                "the request is for another host: the Host header does not name this listener",
            )
            .and_close()
        })?;
        let limiter = &self.context.rate_limiter;
        if api::needs_no_token(request.uri().path()) {
            limiter
                .admit_unnamed(&Origin::WithoutToken)
                .map_err(|error| ApiError::from(error).and_close())?;
            return api::respond_without_token(&self.context, &request);
        }
        // Rejected without delay: a caller without a token must not occupy a connection.
        let caller = self.authenticate(request.headers()).map_err(ApiError::and_close)?;
        if slot.move_to(Origin::Bearer(caller.account().into())).is_err() {
            let message = format!("{caller} has {PER_ORIGIN} requests that are being answered, which is the maximum");
            return Err(ApiError::too_many("too_many_requests", message).and_close());
        }
        limiter.admit(&caller).await?;
        api::respond_on_loopback(&self.context, &caller, request).await
    }

    /// Finds the holder of the token in the header that the SDKs' container providers send.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let hint = "set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to the file that `gatepost env` names; for a program that knows no token file, `gatepost env --token` prints the token";
        let unauthorized = |message: &str| ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).hint(hint);
        let token = single_header(headers, &AUTHORIZATION)
            // An SDK's own client for the data plane signs its requests. Its session token is then the token.
            .and_then(|value| match value.starts_with(SIGNED) {
                true => single_header(headers, &SESSION_TOKEN),
                false => Some(value),
            })
            .ok_or_else(|| unauthorized("the request has no Authorization header with a token"))?;
        match self.loopback.tokens().holder_of(token) {
            Some(holder) => Ok(Caller::Bearer(holder)),
            None => {
                self.context.audit.log_unknown_token();
                Err(unauthorized(&unknown_token(self.loopback.problem().as_ref())))
            }
        }
    }
}

impl Listener for LoopbackListener {
    const NAME: &'static str = "loopback";
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&self) -> io::Result<TcpStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn identify(&self, stream: &TcpStream) -> io::Result<Option<(Origin, SocketAddr)>> {
        // Responses are small and complete, so that Nagle's algorithm would only delay them.
        stream.set_nodelay(true)?;
        Ok(Some((Origin::WithoutToken, stream.peer_addr()?)))
    }

    async fn serve_connection(listener: Rc<Self>, stream: TcpStream, peer: SocketAddr, slot: ConnectionSlot) {
        serve_http(listener, stream, peer, slot).await;
    }
}

impl HttpListener for LoopbackListener {
    async fn readable(&self, stream: &TcpStream) -> io::Result<()> {
        stream.readable().await
    }

    fn complete_identity(&self, _: &TcpStream, _: &mut SocketAddr, _: &ConnectionSlot) -> Result<(), NoSlotError> {
        // Only a request identifies the caller.
        Ok(())
    }

    async fn respond(&self, _: &SocketAddr, slot: &ConnectionSlot, request: Request<Incoming>) -> Response {
        let result = self.handle(slot, request).await;
        let response = result.unwrap_or_else(ApiError::into_sdk_response);
        self.context
            .request_counts
            .count(Self::NAME, response.status().as_u16());
        response
    }
}

/// Returns the message about an unknown token. It may belong to a rule whose token is missing at the moment.
fn unknown_token(problem: Option<&Problem>) -> String {
    let message = "gatepost does not accept this token";
    match problem {
        Some(problem) => format!(
            "{message}; at the moment {} (gatepost status shows what to do)",
            problem.message
        ),
        None => format!("{message}; it generates new ones when it starts after a stop"),
    }
}
