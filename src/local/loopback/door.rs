//! One caller of the loopback listener: which name it used for us, which token it shows, what it wants.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};
use hyper::{Request, StatusCode};
use tokio::net::{TcpListener, TcpStream};

use super::super::admission::{Origin, PER_ORIGIN};
use super::super::answer::{Answer, ApiError};
use super::super::caller::Caller;
use super::super::connections::{Entered, NoRoom};
use super::super::resources;
use super::super::server::Door;
use super::super::view::ApiContext;
use super::{Loopback, host};
use crate::problem::Problem;

/// How a request begins that an SDK has signed (SigV4).
const SIGNED: &[u8] = b"AWS4-HMAC-SHA256 ";
/// Where such a request has the session token.
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The listener at work.
#[derive(Debug)]
pub struct LoopbackDoor {
    listener: TcpListener,
    loopback: Rc<Loopback>,
    shared: Rc<ApiContext>,
}

impl LoopbackDoor {
    /// A door at `listener`, which is that of `loopback`.
    pub fn new(listener: TcpListener, loopback: Rc<Loopback>, shared: Rc<ApiContext>) -> Self {
        Self {
            listener,
            loopback,
            shared,
        }
    }

    async fn given(&self, place: &Entered, request: Request<Incoming>) -> Result<Answer, ApiError> {
        host::check(request.uri(), request.headers(), self.loopback.address()).map_err(|name| {
            self.shared.audit.note_wrong_host(&name);
            ApiError::new(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                "the request is for another host: the Host header does not name this listener",
            )
            .and_close()
        })?;
        if request.uri().path() == "/metrics" {
            // Every local user can read them at the socket, which Prometheus cannot speak to.
            self.shared.pace.admit_stranger(&Origin::Unproven)?;
            return resources::metrics(&self.shared, request.method());
        }
        // Refused at once: whoever has no token never holds a place while it waits.
        let caller = self.bearer(request.headers()).map_err(ApiError::and_close)?;
        if place.belongs_to(Origin::Bearer(caller.account().into())).is_err() {
            let message = format!("{caller} has {PER_ORIGIN} requests that are being answered, which is the most");
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).and_close());
        }
        self.shared.pace.admit(&caller).await?;
        resources::answer_to_bearer(&self.shared, &caller, request).await
    }

    /// Whoever has one of our tokens, by the header that the SDKs' container providers send.
    fn bearer(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let hint = "set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to the file that `gatepost env` names";
        let unauthorized = |message: &str| ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).hint(hint);
        let token = only(headers, &AUTHORIZATION)
            // An SDK's own client for the data plane signs its requests; its session token is then ours.
            .and_then(|value| match value.starts_with(SIGNED) {
                true => only(headers, &SESSION_TOKEN),
                false => Some(value),
            })
            .ok_or_else(|| unauthorized("the request has no Authorization header with a token"))?;
        match self.loopback.tokens().holder_of(token) {
            Some(holder) => Ok(Caller::Bearer(holder)),
            None => {
                self.shared.audit.note_stranger();
                Err(unauthorized(&unknown_token(self.loopback.problem().as_ref())))
            }
        }
    }
}

impl Door for LoopbackDoor {
    const NAME: &'static str = "loopback";
    type Stream = TcpStream;
    type Guest = SocketAddr;

    async fn accept(&self) -> io::Result<TcpStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn greet(&self, stream: &TcpStream) -> io::Result<Option<(Origin, SocketAddr)>> {
        // Answers are small and whole: nothing is won by waiting for more to send.
        stream.set_nodelay(true)?;
        Ok(Some((Origin::Unproven, stream.peer_addr()?)))
    }

    async fn readable(&self, stream: &TcpStream) -> io::Result<()> {
        stream.readable().await
    }

    fn identify(&self, _: &TcpStream, _: &mut SocketAddr, _: &Entered) -> Result<(), NoRoom> {
        // A request must have come for that.
        Ok(())
    }

    async fn answer(&self, _: &SocketAddr, place: &Entered, request: Request<Incoming>) -> Answer {
        let answer = self.given(place, request).await;
        let answer = answer.unwrap_or_else(|refusal| refusal.answer_to_sdk());
        self.shared.tally.count(Self::NAME, &answer);
        answer
    }
}

/// The message about a token that nobody has: it may be that of a rule whose token is missing at the moment.
fn unknown_token(problem: Option<&Problem>) -> String {
    let message = "the token is none of those that gatepost accepts";
    match problem {
        Some(problem) => format!(
            "{message}; at the moment {} (gatepost status shows what to do)",
            problem.message
        ),
        None => format!("{message}; it makes new ones when it starts after a stop"),
    }
}

/// The value of a header that is there exactly once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}
