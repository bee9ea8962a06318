//! Requests to the credentials provider.
//!
//! `GET https://{endpoint}/role-aliases/{alias}/credentials` with mutual TLS and the thing's name in a header (AWS IoT
//! developer guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider").

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use rustls::{ClientConfig, RootCertStore};

use super::answer::{Arrival, Failure, parse, refusal, words};
use super::date;
use super::refresher::Source;
use crate::clock::SharedClock;
use crate::cloud::connect_errors::{self, Server};
use crate::cloud::connector::Connector;
use crate::cloud::https::{HttpsClient, RequestError, Response, TimeLimits};
use crate::config::{Endpoint, Origin};
use crate::credentials::Credentials;
use crate::identity::{Identity, SendChain, client_config};
use crate::problem::{Problem, with_causes};

/// Maximum size of an answer. A normal one has about 1.1 KB.
const MAX_BODY: usize = 16 * 1024;
/// Time limits of the exchange. With a TPM the handshake alone may take several seconds if signatures queue.
const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(60),
    total: Duration::from_secs(60),
};

/// AWS's credentials provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Makes TCP connections.
    pub connector: Connector,
    /// Endpoint of the provider.
    pub endpoint: Endpoint,
    /// Trusted root certificates.
    pub roots: Arc<RootCertStore>,
    /// Clock by which expirations are judged.
    pub clock: SharedClock,
}

impl Source for Provider {
    type Identity = Arc<Identity>;

    async fn fetch(&self, alias: &str, identity: &Self::Identity) -> Result<Credentials, Failure> {
        let tls = client_config(identity, self.roots.clone(), SendChain::Leaf, &[], self.clock.clone())
            .map_err(|error| Failure::Transient(Problem::wait(format!("no TLS: {}", with_causes(&error)))))?;
        self.fetch_with(tls, alias, &identity.certificate.thing_name).await
    }
}

impl Provider {
    /// Requests credentials for `alias` once, on a connection of its own: the next refresh is half an hour away, and NAT devices drop
    /// idle connections sooner.
    ///
    /// # Errors
    /// With a failure that says who can resolve it.
    async fn fetch_with(&self, tls: Arc<ClientConfig>, alias: &str, thing_name: &str) -> Result<Credentials, Failure> {
        let endpoint = &self.endpoint;
        let transient = |what: String| Failure::Transient(Problem::wait(what));
        let client = HttpsClient::new(self.connector.clone(), Origin::from(endpoint), tls, LIMITS);
        // Alias names consist of [\w=,@-], none of which needs escaping in a path (RFC 3986, 3.3).
        let request = Request::get(format!("/role-aliases/{alias}/credentials"))
            .header("x-amzn-iot-thingname", thing_name)
            .body(Full::<Bytes>::default())
            .map_err(|error| transient(with_causes(&error)))?;
        let asked = self.clock.boot();
        let response = client.send(request, MAX_BODY).await.map_err(|error| match error {
            RequestError::TooLarge => transient(format!("{endpoint} sent more than {MAX_BODY} bytes")),
            RequestError::Broken(error) => {
                let cause = connect_errors::root_cause(&error);
                Failure::Unreachable(Problem::wait(format!(
                    "{endpoint} closed the connection before its response was complete: {cause}"
                )))
            }
            error => Failure::Unreachable(connect_errors::problem(Server::Aws, endpoint, &error)),
        })?;
        let arrival = Arrival {
            date: date::read(&response.headers),
            asked,
        };
        match response.status {
            StatusCode::OK => parse(&response.body, arrival, &*self.clock)
                .map(|credentials| credentials.for_thing(thing_name))
                .map_err(|what| transient(format!("{endpoint} answered 200, but {what}"))),
            status => {
                // The ID is not part of the problem: it differs for each attempt, and each change of a problem is logged.
                let id = header_text(&response, "x-amzn-requestid").unwrap_or_default();
                log::debug!(ROLE_ALIAS = alias, AWS_REQUEST_ID = id.as_str(); "role alias {alias}: {status}, AWS request {id:?}");
                let content_type = header_text(&response, header::CONTENT_TYPE.as_str()).unwrap_or_default();
                Err(refusal(alias, status, &words(&response.body, &content_type)))
            }
        }
    }
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    Some(response.headers.get(name)?.to_str().ok()?.to_owned())
}
