//! The final check: a signed call of sts:GetCallerIdentity, which every role may make.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use rustls::ClientConfig;

use super::lines::AWS_CALL;
use super::report::Report;
use crate::clock::SharedClock;
use crate::cloud::connector::Connector;
use crate::cloud::https::{HttpsClient, Origin, RequestError, TimeLimits};
use crate::config::{Config, Partition};
use crate::credentials::Credentials;
use crate::identity::roots;
use crate::problem::{Problem, quoted, with_causes};
use crate::sigv4;

const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(30),
    total: Duration::from_secs(30),
};
/// Maximum size of an answer. One of STS has about 500 bytes.
const MAX_BODY: usize = 64 * 1024;

/// Makes the call with `credentials`, and reports the caller that AWS returns.
pub async fn check(config: &Config, alias: &str, credentials: &Credentials, clock: &SharedClock, report: &mut Report) {
    let Some(region) = config.aws.region().or_else(region_from_environment) else {
        return report.skip(AWS_CALL, "the endpoints' names contain no Region; set AWS_REGION");
    };
    match call(config, &region, credentials, clock).await {
        Ok(arn) => report.ok(AWS_CALL, format!("sts:GetCallerIdentity with {alias}: {arn}")),
        Err(problem) => report.failed(AWS_CALL, &problem),
    }
}

async fn call(
    config: &Config,
    region: &str,
    credentials: &Credentials,
    clock: &SharedClock,
) -> Result<String, Problem> {
    let endpoint = endpoint(region);
    let origin = Origin::parse(&endpoint).map_err(|why| {
        Problem::configuration(format!("{}: {why}", quoted(&endpoint))).next("check AWS_ENDPOINT_URL")
    })?;
    let target = format!("/?{QUERY}");
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
            Problem::configuration(format!("{endpoint}: {why}")).next("check AWS_ENDPOINT_URL")
        })?;
    let mut get = Request::get(target);
    for (name, value) in headers {
        get = get.header(name, value);
    }
    let get = get.body(Full::default()).map_err(RequestError::Invalid);
    let answer = match get {
        Ok(get) => client(config, origin)?.send(get, MAX_BODY).await,
        Err(error) => Err(error),
    };
    let answer = answer.map_err(|error| match error {
        RequestError::TooLarge => Problem::wait(format!(
            "{endpoint} sent more than {MAX_BODY} bytes, which STS never does"
        )),
        error => Problem::wait(format!("{endpoint}: {}", with_causes(&error))),
    })?;
    let (status, body) = (answer.status, answer.body);
    let body = String::from_utf8_lossy(&body);
    let between = |start, end| {
        body.split_once(start)?
            .1
            .split_once(end)
            .map(|(inside, _)| quoted(inside))
    };
    match (status.is_success(), between("<Arn>", "</Arn>")) {
        (true, Some(arn)) => Ok(arn),
        (true, None) => Err(Problem::wait(format!(
            "{endpoint} answered {status}, but not in the form of STS"
        ))),
        (false, _) => {
            let words = between("<Message>", "</Message>").unwrap_or_else(|| status.to_string());
            let step = "check this machine's clock, and whether a policy forbids the role to be used from here";
            Err(Problem::configuration(format!("{endpoint} answered {}: {words}", status.as_u16())).next(step))
        }
    }
}

/// Returns the endpoint as the SDKs determine it (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
fn endpoint(region: &str) -> String {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    variable("AWS_ENDPOINT_URL_STS")
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .unwrap_or_else(|| format!("https://{}", Partition::of_region(region).sts_host(region)))
}

fn region_from_environment() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))
}

fn client(config: &Config, origin: Origin) -> Result<HttpsClient, Problem> {
    // STS uses Amazon's certificates; aws.root-ca only applies to the IoT endpoints.
    let roots = roots::load(None)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::wait(format!("no TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsClient::new(Connector::new(config), origin, Arc::new(tls), LIMITS))
}
