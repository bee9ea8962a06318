//! The HTTPS client for the EST server: a new one for each attempt, with its own trust anchor and independent of environment variables.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::request::Builder;
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::bootstrap;
use super::credential::CredentialKind;
use super::est::{Answer, Operation};
use super::failure::{Failure, FailureKind};
use super::pkcs7::MAX_BODY;
use crate::cloud::connect_errors::{self, Server};
use crate::cloud::connector::Connector;
use crate::cloud::https::{HttpsClient, RequestError, Response, TimeLimits};
use crate::config::{EstUrl, Origin};
use crate::pem_file;
use crate::problem::Problem;
use crate::secret::{ExposeSecret, SecretString};

/// Time limits of an exchange. A handshake alone may take a TPM several seconds when signatures queue, and the CA may be slow.
const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(30),
    total: Duration::from_secs(90),
};

/// A client for the requests of one attempt.
pub(super) struct EstClient {
    http: HttpsClient,
    url: EstUrl,
    authorization: Option<HeaderValue>,
    credential: CredentialKind,
    /// The CA of the bootstrap certificate, if that is what the server sees.
    issuer: Option<String>,
}

/// The credential that a client presents to the server.
pub(super) enum Shown<'a> {
    /// A user and a secret.
    Secret(&'a str, &'a SecretString),
    /// The bootstrap certificate of this CA.
    BootstrapCertificate(&'a str),
    /// The certificate that is renewed.
    CurrentCertificate,
}

/// Returns the parts of a response that determine its meaning.
pub(super) fn answer(response: &Response) -> Answer<'_> {
    let text = |name: HeaderName| response.headers.get(name).and_then(|value| value.to_str().ok());
    Answer {
        status: response.status.as_u16(),
        content_type: text(CONTENT_TYPE),
        retry_after: text(RETRY_AFTER),
        date: text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()),
        body: &response.body,
    }
}

impl EstClient {
    /// Creates a client with this TLS configuration. A secret is sent only over a connection on which the server has proven its identity.
    pub(super) fn new(
        connector: &Connector,
        url: &EstUrl,
        tls: Arc<ClientConfig>,
        shown: &Shown,
    ) -> Result<Self, Failure> {
        let (credential, authorization, issuer) = match *shown {
            Shown::Secret(user, secret) => (CredentialKind::Secret, Some(basic(user, secret)?), None),
            Shown::BootstrapCertificate(issuer) => {
                (CredentialKind::BootstrapCertificate, None, Some(issuer.to_owned()))
            }
            Shown::CurrentCertificate => (CredentialKind::CurrentCertificate, None, None),
        };
        Ok(Self {
            http: HttpsClient::new(connector.clone(), Origin::from(&url.endpoint), tls, LIMITS),
            url: url.clone(),
            authorization,
            credential,
            issuer,
        })
    }

    /// Sends a request that changes nothing at the server.
    pub(super) async fn get(&self, operation: Operation) -> Result<Response, Failure> {
        let request = Request::get(self.path(operation));
        self.send(request, Bytes::new(), FailureKind::Unreachable).await
    }

    /// Sends a signing request in DER.
    pub(super) async fn post(&self, operation: Operation, request: &[u8]) -> Result<Response, Failure> {
        let mut post = Request::post(self.path(operation))
            .header(CONTENT_TYPE, "application/pkcs10")
            // RFC 7030 requires this header; RFC 8951 tells servers to ignore it.
            .header("content-transfer-encoding", "base64");
        if let Some(value) = &self.authorization {
            post = post.header(AUTHORIZATION, value);
        }
        let body = Bytes::from(STANDARD.encode(request));
        self.send(post, body, FailureKind::AnswerLost).await
    }

    fn path(&self, operation: Operation) -> String {
        format!("{}/{}", self.url.path(), operation.path())
    }

    /// Sends a request. `lost` is the kind of failure if the request may have reached the server.
    async fn send(&self, request: Builder, body: Bytes, lost: FailureKind) -> Result<Response, Failure> {
        let endpoint = &self.url.endpoint;
        let request = request.body(Full::new(body)).map_err(RequestError::Invalid);
        let sent = match request {
            Ok(request) => self.http.send(request, MAX_BODY).await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| match error {
            RequestError::TooLarge => Failure {
                kind: FailureKind::Unavailable,
                problem: Problem::wait(format!("{endpoint} sent more than {MAX_BODY} bytes"))
                    .next("check whether enrolment.est.url is an EST server"),
                retry_after: None,
            },
            error => self.judge_alert(&error).unwrap_or_else(|| Failure {
                kind: match error.is_unsent() {
                    true => FailureKind::Unreachable,
                    false => lost,
                },
                problem: connect_errors::problem(Server::Est, endpoint, &error),
                retry_after: None,
            }),
        })
    }
}

impl EstClient {
    /// Returns the failure if the server has ended the connection because of the client's certificate. With TLS 1.3 that comes
    /// after the handshake.
    fn judge_alert(&self, error: &RequestError) -> Option<Failure> {
        let alert = connect_errors::alert_description(error)?;
        let server = self.url.endpoint.to_string();
        bootstrap::judge_alert(alert, &server, self.credential, self.issuer.as_deref())
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
        retry_after: None,
    }
}

/// Reads the roots for verifying the server.
///
/// # Errors
/// If the file contains none.
pub(super) fn server_roots(path: &Path) -> Result<Arc<RootCertStore>, Failure> {
    let refused = |what: &str, step: &str| Failure {
        kind: FailureKind::Refused,
        problem: Problem::configuration(format!("enrolment.est.server-ca: {} {what}", path.display())).next(step),
        retry_after: None,
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
