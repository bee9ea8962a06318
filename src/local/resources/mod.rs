//! The resources, one file each, and the way from a request to one of them.

mod credentials;
mod csr;
mod environment;
mod metrics;
mod sign;
mod status;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::view::Shared;
use crate::percent;

pub use status::summary;

/// Answers one request.
///
/// # Errors
/// With the reason, for the caller.
pub async fn answer(shared: &Shared, caller: &Caller, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let segments = segments(request.uri().path()).ok_or_else(|| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "the path is not percent-encoded UTF-8",
        )
    })?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if segments == ["v1", "sign"] {
        return match *request.method() {
            Method::POST => sign::post(shared, caller, request.into_body()).await,
            _ => Err(Refusal::only("POST")),
        };
    }
    let resource: &dyn Fn() -> Result<Answer, Refusal> = match segments.as_slice() {
        ["v1", "credentials"] => &|| credentials::get(shared, caller, None),
        ["v1", "credentials", alias] => &|| credentials::get(shared, caller, Some(alias)),
        ["v1", "loopback"] => &|| environment::get(shared, caller, None),
        ["v1", "loopback", alias] => &|| environment::get(shared, caller, Some(alias)),
        ["v1", "status"] => &|| status::get(shared),
        ["metrics"] => &|| metrics::get(shared),
        ["v1", "csr"] => &|| csr::get(shared),
        _ => {
            return Err(
                Refusal::new(StatusCode::NOT_FOUND, "not_found", "no such resource").hint(
                    "there are /v1/credentials, /v1/credentials/{alias}, /v1/loopback/{alias}, /v1/sign, /v1/status, /v1/csr and /metrics",
                ),
            );
        }
    };
    match *request.method() {
        Method::GET => resource(),
        _ => Err(Refusal::only("GET")),
    }
}

/// Answers one request on the loopback listener, where credentials are all there is.
///
/// # Errors
/// With the reason, for the caller.
pub fn answer_to_bearer<B>(shared: &Shared, caller: &Caller, request: &Request<B>) -> Result<Answer, Refusal> {
    let segments = segments(request.uri().path()).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let alias = match segments.as_slice() {
        ["v1", "credentials"] => None,
        ["v1", "credentials", alias] => Some(*alias),
        _ => {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "no such resource")
                .hint("on the loopback listener there are /v1/credentials and /v1/credentials/{alias}"));
        }
    };
    match *request.method() {
        Method::GET => credentials::get(shared, caller, alias),
        _ => Err(Refusal::only("GET")),
    }
}

/// The metrics, which need no token on the loopback listener.
///
/// # Errors
/// With the reason, for the caller.
pub fn metrics(shared: &Shared, method: &Method) -> Result<Answer, Refusal> {
    match *method {
        Method::GET => metrics::get(shared),
        _ => Err(Refusal::only("GET")),
    }
}

/// The path's segments, decoded after splitting: an encoded slash is part of a name, never a separator.
fn segments(path: &str) -> Option<Vec<String>> {
    let decoded = |segment| String::from_utf8(percent::decode(segment)?).ok();
    path.strip_prefix('/')?.split('/').map(decoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_slashes_stay_inside_a_name() {
        assert_eq!(segments("/v1/credentials/a%2fb").unwrap(), ["v1", "credentials", "a/b"]);
        assert_eq!(segments("/v1/credentials/..").unwrap(), ["v1", "credentials", ".."]);
        for bad in ["/v1/%2", "/v1/%ff", "v1"] {
            assert_eq!(segments(bad), None, "{bad}");
        }
    }
}
