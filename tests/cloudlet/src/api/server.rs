//! Accepts connections, and dispatches requests to the services.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::failure::Failure;
use super::{iam, iot, iot_data, s3, sts};
use crate::cloud::Cloud;
use crate::events::Event;
use crate::listener::Listener;
use crate::sigv4;

/// Maximum size of a request to the control plane.
const BODY_LIMIT: usize = 64 * 1024;
/// Maximum size of an object in S3.
const OBJECT_LIMIT: usize = 1024 * 1024;
/// The time limit for the headers of a connection's next request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
enum Service {
    Sts,
    Iam,
    Iot,
    IotData,
    S3,
}

/// Serves the API.
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
    // A broken connection is the client's problem.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(tcp), service)
        .await;
}

async fn answer(cloud: &Arc<Cloud>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let service = Service::of(&head);
    let request_id = cloud.random_uuid().to_string();
    let answer = match Limited::new(body, service.body_limit()).collect().await {
        Ok(body) => service.answer(cloud, &head, body.to_bytes(), &request_id).await,
        Err(_) => Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "The body is too large or incomplete",
        )),
    };
    answer.unwrap_or_else(|failure| {
        cloud.events.push(Event::CallerRefused {
            service: service.name(),
            operation: failure.operation,
            access_key_id: failure.access_key_id.clone(),
            code: failure.code.clone(),
            message: failure.message.clone(),
        });
        service.refuse(&failure, &request_id)
    })
}

impl Service {
    /// Returns the service that the signature names. An unsigned request is treated as one for STS, some of whose operations are not
    /// signed.
    fn of(head: &Parts) -> Self {
        match sigv4::service_of(head).as_deref() {
            Some("iam") => Self::Iam,
            // Older SDKs sign for `execute-api` (botocore before 1.29, service model iot/2015-05-28).
            Some("iot" | "execute-api") => Self::Iot,
            Some("iotdata") => Self::IotData,
            Some("s3") => Self::S3,
            _ => Self::Sts,
        }
    }

    fn body_limit(self) -> usize {
        match self {
            // The operation refuses a payload above AWS's limit.
            Self::S3 | Self::IotData => OBJECT_LIMIT,
            _ => BODY_LIMIT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Iot => "iot",
            Self::IotData => "iotdata",
            Self::S3 => "s3",
        }
    }

    async fn answer(
        self,
        cloud: &Arc<Cloud>,
        head: &Parts,
        body: Bytes,
        request_id: &str,
    ) -> Result<Response<Full<Bytes>>, Failure> {
        match self {
            Self::Sts => sts::answer(cloud, head, &body, request_id),
            Self::Iam => iam::answer(cloud, head, &body, request_id),
            Self::Iot => iot::answer(cloud, head, &body, request_id),
            Self::IotData => iot_data::answer(cloud, head, body, request_id).await,
            Self::S3 => s3::answer(cloud, head, &body, request_id),
        }
    }

    fn refuse(self, failure: &Failure, request_id: &str) -> Response<Full<Bytes>> {
        match self {
            Self::Sts => sts::PROTOCOL.refuse(failure, request_id),
            Self::Iam => iam::PROTOCOL.refuse(failure, request_id),
            Self::Iot | Self::IotData => iot::refuse(failure, request_id),
            Self::S3 => s3::refuse(failure, request_id),
        }
    }
}
