//! Signed requests to AWS's Security Token Service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use rustls::ClientConfig;

use super::connect_errors::{self, Server};
use super::connector::Connector;
use super::https::{HttpsClient, RequestError, Response, TimeLimits};
use crate::clock::Clock;
use crate::config::{Endpoint, StsEndpoint};
use crate::credentials::Credentials;
use crate::identity::roots;
use crate::problem::{Problem, with_causes};
use crate::sigv4;

const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(30),
    total: Duration::from_secs(30),
};
/// Maximum size of an answer. A token has about 1 KB, a caller identity 500 bytes.
const MAX_BODY: usize = 64 * 1024;

/// STS in one Region.
#[derive(Clone, Debug)]
pub struct Sts {
    /// Makes TCP connections.
    pub connector: Connector,
    /// Where it answers.
    pub endpoint: StsEndpoint,
}

/// Error of a request that STS has not answered.
#[derive(Clone, Debug)]
pub enum StsError {
    /// The request cannot be made.
    Unusable(Problem),
    /// STS was not reached, or the answer broke off.
    Unreachable(Problem),
}

impl StsError {
    /// Converts the error to its problem.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Unusable(problem) | Self::Unreachable(problem) => problem,
        }
    }
}

impl Sts {
    /// Sends a query (`Action=...&Version=2011-06-15&...`), signed with `credentials`.
    ///
    /// # Errors
    /// If STS does not answer. A refusal is an answer.
    pub async fn request(
        &self,
        query: &str,
        credentials: &Credentials,
        clock: &dyn Clock,
    ) -> Result<Response, StsError> {
        let StsEndpoint { origin, region } = &self.endpoint;
        let target = format!("/?{query}");
        let url = format!("{origin}{target}");
        let request = sigv4::Request {
            service: "sts",
            region,
            method: "GET",
            url: &url,
            headers: Vec::new(),
            payload_hash: None,
        };
        let headers = request
            .headers(credentials, clock.aws_now())
            .map_err(|sigv4::SigningError(why)| {
                StsError::Unusable(Problem::configuration(format!("{origin}: {why}")))
            })?;
        let mut get = Request::get(target);
        for (name, value) in headers {
            get = get.header(name, value);
        }
        let request = get
            .body(Full::<Bytes>::default())
            .map_err(|error| StsError::Unusable(Problem::configuration(format!("{origin}: {error}"))))?;
        let tls = tls_config().map_err(StsError::Unusable)?;
        let client = HttpsClient::new(self.connector.clone(), origin.clone(), tls, LIMITS);
        client.send(request, MAX_BODY).await.map_err(|error| {
            StsError::Unreachable(match error {
                RequestError::TooLarge => {
                    Problem::wait(format!("{origin} sent more than {MAX_BODY} bytes, and STS does not"))
                }
                error => match Endpoint::parse(&origin.host, origin.port) {
                    Ok(endpoint) => connect_errors::problem(Server::Sts, &endpoint, &error),
                    Err(_) => Problem::wait(format!("{origin}: {}", with_causes(&error))),
                },
            })
        })
    }
}

/// Returns the TLS configuration: STS uses Amazon's certificates; aws.root-ca only applies to the IoT endpoints.
fn tls_config() -> Result<Arc<ClientConfig>, Problem> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::wait(format!("no TLS: {error}")))?
        .with_root_certificates(roots::load(None)?)
        .with_no_client_auth();
    Ok(Arc::new(tls))
}
