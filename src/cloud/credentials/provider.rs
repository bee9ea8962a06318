//! One request to the credentials provider.
//!
//! `GET https://{endpoint}/role-aliases/{alias}/credentials` with mutual TLS and the thing's name in a header (AWS IoT
//! developer guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider").

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header, redirect};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::answer::{Arrival, Failure, parse, refusal, words};
use super::date;
use super::refresher::Source;
use crate::clock::{Clock, SharedClock};
use crate::cloud::connect_errors;
use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::identity::{Identity, SendChain, client_config};
use crate::problem::{Problem, with_causes};

/// An honest answer has about 1.1 KB.
const MAX_BODY: usize = 16 * 1024;
/// For the whole exchange. A handshake alone may take a TPM several seconds when signatures queue.
const PATIENCE: Duration = Duration::from_secs(60);

/// For an answer of the other side's TCP, the one that it is there at all included.
const TCP_PATIENCE: Duration = Duration::from_secs(15);

/// AWS's credentials provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Where to ask.
    pub endpoint: Endpoint,
    /// Whom to trust.
    pub roots: Arc<RootCertStore>,
    /// What expirations are compared with.
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

/// Asks once for the credentials of `alias`.
///
/// A connection is made for this one request: the next refresh is half an hour away, and NAT boxes forget sooner.
///
/// # Errors
/// Sorted by what the reader can do.
async fn fetch(
    endpoint: &Endpoint,
    tls: Arc<ClientConfig>,
    alias: &str,
    thing_name: &str,
    clock: &dyn Clock,
) -> Result<Credentials, Failure> {
    let transient = |what: String| Failure::Transient(Problem::wait(what));
    let client = Client::builder()
        .tls_backend_preconfigured(tls.as_ref().clone())
        .redirect(redirect::Policy::none())
        .no_proxy()
        .https_only(true)
        .http1_only()
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .tcp_user_timeout(TCP_PATIENCE)
        .build()
        .map_err(|error| transient(with_causes(&error)))?;
    let asked = clock.boot();
    // Alias names are of [\w=,@-]: each of these may stand in a path as it is (RFC 3986, 3.3).
    let url = format!("https://{endpoint}/role-aliases/{alias}/credentials");
    let response = client
        .get(url)
        .header("x-amzn-iot-thingname", thing_name)
        .send()
        .await
        .map_err(|error| Failure::Unreachable(connect_errors::problem(endpoint, &error.without_url())))?;
    let status = response.status();
    let arrival = Arrival {
        date: date::read(response.headers()),
        asked,
    };
    let request_id = header_text(&response, "x-amzn-requestid");
    let content_type = header_text(&response, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let body = read_body(response).await.map_err(|what| match what {
        BodyError::TooLarge => transient(format!("{endpoint} sent more than {MAX_BODY} bytes")),
        BodyError::Broken(why) => {
            Failure::Unreachable(Problem::wait(format!("{endpoint} broke off in its answer: {why}")))
        }
    })?;
    match status {
        StatusCode::OK => parse(&body, arrival, clock)
            .map(|credentials| credentials.for_thing(thing_name))
            .map_err(|what| transient(format!("{endpoint} answered 200, but {what}"))),
        _ => {
            // Not part of the problem: a new ID at each attempt would make the same problem news each time.
            let id = request_id.unwrap_or_default();
            log::debug!(ROLE_ALIAS = alias, AWS_REQUEST_ID = id.as_str(); "role alias {alias}: {status}, AWS request {id:?}");
            Err(refusal(alias, status, &words(&body, &content_type)))
        }
    }
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Why the body of an answer cannot be had.
enum BodyError {
    TooLarge,
    Broken(String),
}

async fn read_body(mut response: Response) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_BODY));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BODY => {
                return Err(BodyError::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(BodyError::Broken(connect_errors::root_cause(&error))),
        }
    }
}
