//! HTTPS to the EST server: one client for each attempt, with its own trust anchor and nothing that the environment says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::est::{Answer, Operation};
use super::failure::{Failure, FailureKind};
use super::pkcs7::MAX_BODY;
use crate::cloud::connect_errors::{self, Server};
use crate::cloud::https::{self, BodyError};
use crate::config::EstUrl;
use crate::pem_file;
use crate::problem::{Problem, with_causes};
use crate::secret::{ExposeSecret, SecretString};

/// For a whole exchange. A handshake alone may take a TPM several seconds when signatures queue, and a CA may take its time.
const PATIENCE: Duration = Duration::from_secs(90);
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// A client for the requests of one attempt.
pub(super) struct EstClient {
    http: Client,
    url: EstUrl,
    authorization: Option<HeaderValue>,
}

/// An answer as it came.
pub(super) struct Response {
    status: u16,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// The answer as its meaning is read from it.
    pub(super) fn answer(&self) -> Answer<'_> {
        let text = |name: HeaderName| self.headers.get(name).and_then(|value| value.to_str().ok());
        Answer {
            status: self.status,
            content_type: text(CONTENT_TYPE),
            retry_after: text(RETRY_AFTER),
            date: text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()),
            body: &self.body,
        }
    }
}

impl EstClient {
    /// A client with this TLS configuration. A secret is sent only over a connection on which the server has proven itself.
    pub(super) fn new(
        url: &EstUrl,
        tls: &Arc<ClientConfig>,
        secret: Option<(&str, &SecretString)>,
    ) -> Result<Self, Failure> {
        let http = https::client_builder(tls.as_ref().clone())
            .https_only(true)
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .build()
            .map_err(|error| unreachable(Problem::wait(format!("no HTTPS client: {}", with_causes(&error)))))?;
        let authorization = match secret {
            Some((user, secret)) => Some(basic(user, secret)?),
            None => None,
        };
        Ok(Self {
            http,
            url: url.clone(),
            authorization,
        })
    }

    /// Asks for something that changes nothing at the server.
    pub(super) async fn get(&self, operation: Operation) -> Result<Response, Failure> {
        self.send(self.http.get(self.address(operation)), FailureKind::Unreachable)
            .await
    }

    /// Sends a signing request in DER.
    pub(super) async fn post(&self, operation: Operation, request: &[u8]) -> Result<Response, Failure> {
        let post = self
            .http
            .post(self.address(operation))
            .header(CONTENT_TYPE, "application/pkcs10")
            // RFC 7030 asks for it, and RFC 8951 has servers ignore it.
            .header("content-transfer-encoding", "base64")
            .body(STANDARD.encode(request));
        let post = match &self.authorization {
            Some(value) => post.header(AUTHORIZATION, value),
            None => post,
        };
        self.send(post, FailureKind::AnswerLost).await
    }

    fn address(&self, operation: Operation) -> String {
        format!("{}/{}", self.url, operation.path())
    }

    /// `lost` is the kind of a failure after the request may have reached the server.
    async fn send(&self, request: reqwest::RequestBuilder, lost: FailureKind) -> Result<Response, Failure> {
        let endpoint = &self.url.endpoint;
        let failed = |error: reqwest::Error| Failure {
            kind: match error.is_connect() || error.is_builder() {
                true => FailureKind::Unreachable,
                false => lost,
            },
            problem: connect_errors::problem(Server::Est, endpoint, &error.without_url()),
            not_before: None,
        };
        let mut response = request.send().await.map_err(failed)?;
        let body = https::read_body(&mut response, MAX_BODY)
            .await
            .map_err(|why| match why {
                BodyError::Broken(error) => failed(error),
                BodyError::TooLarge => Failure {
                    kind: FailureKind::Unavailable,
                    problem: Problem::wait(format!("{endpoint} sent more than {MAX_BODY} bytes"))
                        .next("look whether enrolment.est.url is an EST server"),
                    not_before: None,
                },
            })?;
        Ok(Response {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        })
    }
}

fn basic(user: &str, secret: &SecretString) -> Result<HeaderValue, Failure> {
    let plain = Zeroizing::new(format!("{user}:{}", secret.expose_secret()));
    let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(plain.as_bytes())));
    let mut value = HeaderValue::from_str(&encoded).map_err(|_| {
        unreachable(Problem::configuration(
            "the secret for the EST server cannot stand in a header",
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn unreachable(problem: Problem) -> Failure {
    Failure {
        kind: FailureKind::Unreachable,
        problem,
        not_before: None,
    }
}

/// The roots that the server is verified with.
///
/// # Errors
/// When the file has none.
pub(super) fn server_roots(path: &Path) -> Result<Arc<RootCertStore>, Failure> {
    let refused = |what: &str, step: &str| Failure {
        kind: FailureKind::Refused,
        problem: Problem::configuration(format!("enrolment.est.server-ca: {} {what}", path.display())).next(step),
        not_before: None,
    };
    let file = pem_file::read(path).map_err(|error| refused(&error.describe(), error.next_step()))?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(file.certificates);
    match store.is_empty() {
        false => Ok(Arc::new(store)),
        true => Err(refused(
            "has no certificate that can be a root",
            "put the root of the EST server there",
        )),
    }
}
