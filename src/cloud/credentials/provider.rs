//! Requests to the credentials provider.
//!
//! `GET https://{endpoint}/role-aliases/{alias}/credentials` with mutual TLS and the thing's name in a header (AWS IoT
//! developer guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider").

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Response, StatusCode, header};
use rustls::{ClientConfig, RootCertStore};

use super::answer::{Arrival, Failure, parse, refusal, words};
use super::date;
use super::refresher::Source;
use crate::clock::{Clock, SharedClock};
use crate::cloud::connect_errors::{self, Server};
use crate::cloud::https::{self, BodyError};
use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::identity::{Identity, SendChain, client_config};
use crate::problem::{Problem, with_causes};

/// Maximum size of an answer. A normal one has about 1.1 KB.
const MAX_BODY: usize = 16 * 1024;
/// Timeout of the whole exchange. With a TPM the handshake alone may take several seconds if signatures queue.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Timeout for an answer at the TCP level, which also applies to the connection attempt.
const TCP_TIMEOUT: Duration = Duration::from_secs(15);

/// AWS's credentials provider.
#[derive(Clone, Debug)]
pub struct Provider {
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
        fetch(
            &self.endpoint,
            tls,
            alias,
            &identity.certificate.thing_name,
            &*self.clock,
        )
        .await
    }
}

/// Requests credentials for `alias` once, on a connection of its own: the next refresh is half an hour away, and NAT devices drop
/// idle connections sooner.
///
/// # Errors
/// With a failure that says who can resolve it.
async fn fetch(
    endpoint: &Endpoint,
    tls: Arc<ClientConfig>,
    alias: &str,
    thing_name: &str,
    clock: &dyn Clock,
) -> Result<Credentials, Failure> {
    let transient = |what: String| Failure::Transient(Problem::wait(what));
    let client = https::client_builder(tls.as_ref().clone())
        .https_only(true)
        .pool_max_idle_per_host(0)
        .timeout(TIMEOUT)
        .tcp_user_timeout(TCP_TIMEOUT)
        .build()
        .map_err(|error| transient(with_causes(&error)))?;
    let asked = clock.boot();
    // Alias names consist of [\w=,@-], none of which needs escaping in a path (RFC 3986, 3.3).
    let url = format!("https://{endpoint}/role-aliases/{alias}/credentials");
    let mut response = client
        .get(url)
        .header("x-amzn-iot-thingname", thing_name)
        .send()
        .await
        .map_err(|error| Failure::Unreachable(connect_errors::problem(Server::Aws, endpoint, &error.without_url())))?;
    let status = response.status();
    let arrival = Arrival {
        date: date::read(response.headers()),
        asked,
    };
    let request_id = header_text(&response, "x-amzn-requestid");
    let content_type = header_text(&response, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let body = https::read_body(&mut response, MAX_BODY)
        .await
        .map_err(|what| match what {
            BodyError::TooLarge => transient(format!("{endpoint} sent more than {MAX_BODY} bytes")),
            BodyError::Broken(error) => {
                let cause = connect_errors::root_cause(&error);
                Failure::Unreachable(Problem::wait(format!("{endpoint} broke off in its answer: {cause}")))
            }
        })?;
    match status {
        StatusCode::OK => parse(&body, arrival, clock)
            .map(|credentials| credentials.for_thing(thing_name))
            .map_err(|what| transient(format!("{endpoint} answered 200, but {what}"))),
        _ => {
            // The ID is not part of the problem: it differs for each attempt, and each change of a problem is logged.
            let id = request_id.unwrap_or_default();
            log::debug!(ROLE_ALIAS = alias, AWS_REQUEST_ID = id.as_str(); "role alias {alias}: {status}, AWS request {id:?}");
            Err(refusal(alias, status, &words(&body, &content_type)))
        }
    }
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}
