//! AWS's Security Token Service, as far as a gateway needs it: who am I, asked with a real signature.

mod answer;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::sessions::SessionStore;
use crate::sigv4::{self, Endpoint};
use answer::{Caller, Failure};

/// The only version STS ever had.
const API_VERSION: &str = "2011-06-15";
/// No request to STS is near this.
const BODY_LIMIT: usize = 64 * 1024;
/// What a connection may take for its next request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Between attempts to accept while the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What happened, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StsEvent {
    /// A caller proved who it is.
    Identified {
        /// The credentials it signed with.
        access_key_id: String,
        /// The assumed role it is.
        arn: String,
    },
    /// A request was refused.
    Refused {
        /// The credentials it claims, if it got as far as claiming any.
        access_key_id: Option<String>,
        /// AWS's error code.
        code: &'static str,
        /// AWS's message.
        message: String,
    },
}

struct Sts {
    store: SessionStore,
    account_id: String,
    on_event: Arc<dyn Fn(StsEvent) + Send + Sync>,
}

/// Answers GetCallerIdentity on the listener until dropped; its connections end with it.
pub async fn serve(
    listener: TcpListener,
    store: SessionStore,
    account_id: String,
    on_event: Arc<dyn Fn(StsEvent) + Send + Sync>,
) {
    let sts = Arc::new(Sts {
        store,
        account_id,
        on_event,
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve_connection(Arc::clone(&sts), stream))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(sts: Arc<Sts>, stream: TcpStream) {
    let service = service_fn(|request| {
        let sts = Arc::clone(&sts);
        async move { Ok::<_, Infallible>(sts.answer(request).await) }
    });
    // A connection that breaks is its client's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Sts {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.identify(request).await {
            Ok(caller) => {
                let Caller { access_key_id, arn, .. } = &caller;
                let (access_key_id, arn) = (access_key_id.clone(), arn.clone());
                (self.on_event)(StsEvent::Identified { access_key_id, arn });
                answer::caller(&caller)
            }
            Err(failure) => {
                let Failure {
                    access_key_id,
                    code,
                    message,
                    ..
                } = failure.clone();
                (self.on_event)(StsEvent::Refused {
                    access_key_id,
                    code,
                    message,
                });
                answer::failure(&failure)
            }
        }
    }

    async fn identify(&self, request: Request<Incoming>) -> Result<Caller, Failure> {
        let (request, body) = request.into_parts();
        if ![Method::GET, Method::POST].contains(&request.method) {
            return Err(Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "InvalidAction",
                "Only GET and POST are taken",
            ));
        }
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => {
                let message = "The body is too large or incomplete";
                return Err(Failure::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    message,
                ));
            }
        };
        // The operation comes before the signature: some of STS's operations are not signed.
        check_operation(request.uri.query().unwrap_or_default(), &body)?;
        let endpoint = Endpoint {
            service: "sts".to_owned(),
            region: None,
        };
        let session = sigv4::verify(&request, &body, &endpoint, &self.store, SystemTime::now())?;
        Ok(Caller::of(&session, &self.account_id))
    }
}

/// The query protocol: parameters come in the query, in a form in the body, or in both.
fn check_operation(query: &str, body: &[u8]) -> Result<(), Failure> {
    let parameter = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .chain(form_urlencoded::parse(body))
            .find_map(|(parameter, value)| (parameter == name).then(|| value.into_owned()))
    };
    let refuse = |code, message: String| Err(Failure::new(StatusCode::BAD_REQUEST, code, message));
    let version = parameter("Version").unwrap_or_else(|| "NO_VERSION_SPECIFIED".to_owned());
    match parameter("Action").as_deref() {
        Some("GetCallerIdentity") if version == API_VERSION => Ok(()),
        Some(action) => refuse(
            "InvalidAction",
            format!("Could not find operation {action} for version {version}"),
        ),
        None => refuse(
            "MissingAction",
            "The request is missing the parameter Action".to_owned(),
        ),
    }
}
