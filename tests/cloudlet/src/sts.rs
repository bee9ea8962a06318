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
use tokio::net::TcpStream;

use crate::cloud::Cloud;
use crate::events::Event;
use crate::listener::Listener;
use crate::sigv4::{self, Endpoint};
use answer::{Caller, Failure};

/// The only version STS ever had.
const API_VERSION: &str = "2011-06-15";
/// No request to STS is near this.
const BODY_LIMIT: usize = 64 * 1024;
/// What a connection may take for its next request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves STS, without TLS: what is proved here is the signature.
pub(crate) async fn serve(cloud: Arc<Cloud>, listener: Listener) {
    loop {
        let (tcp, _) = listener.accept().await;
        tokio::spawn(serve_connection(cloud.clone(), tcp));
    }
}

async fn serve_connection(cloud: Arc<Cloud>, tcp: TcpStream) {
    let service = service_fn(|request| {
        let cloud = cloud.clone();
        async move { Ok::<_, Infallible>(answer(&cloud, request).await) }
    });
    // A connection that breaks is its client's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(tcp), service)
        .await;
}

async fn answer(cloud: &Cloud, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let request_id = cloud.random_uuid().to_string();
    match identify(cloud, request).await {
        Ok(caller) => {
            cloud.events.push(Event::CallerIdentified {
                access_key_id: caller.access_key_id.clone(),
                arn: caller.arn.clone(),
            });
            answer::caller(&caller, &request_id)
        }
        Err(failure) => {
            cloud.events.push(Event::CallerRefused {
                access_key_id: failure.access_key_id.clone(),
                code: failure.code,
                message: failure.message.clone(),
            });
            answer::failure(&failure, &request_id)
        }
    }
}

async fn identify(cloud: &Cloud, request: Request<Incoming>) -> Result<Caller, Failure> {
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
    let session = sigv4::verify(&request, &body, &endpoint, &cloud.sessions, SystemTime::now())?;
    Ok(cloud.account.read(|account| Caller::of(&session, account.id())))
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
