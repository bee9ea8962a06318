//! The resources, one file each, and the way from a request to one of them.

mod credentials;
mod csr;
mod environment;
mod log_level;
mod metrics;
mod outbox;
mod reload;
mod retry;
mod sign;
mod status;
mod topics;

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::access::Permission;
use super::answer::{Answer, ApiError};
use super::caller::Caller;
use super::view::ApiContext;
use crate::percent;

/// Answers one request.
///
/// # Errors
/// With the reason, for the caller.
pub async fn answer(shared: &Rc<ApiContext>, caller: &Caller, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let segments = segments(request.uri().path()).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "the path is not percent-encoded UTF-8",
        )
    })?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (method, query) = (request.method().clone(), request.uri().query().map(str::to_owned));
    match (segments.as_slice(), method.as_str()) {
        (["v1", "sign"], "POST") => {
            // The body names the alias, and is not read for somebody who may have none.
            let alias = shared.cache.only_alias().unwrap_or_else(|| "*".to_owned());
            shared.authorize_any(caller, Permission::RoleAlias(&alias))?;
            return sign::post(shared, caller, request.into_body()).await;
        }
        (["v1", "reload"], "POST") => return reload::post(shared, caller).await,
        (["v1", "log-level"], "POST") => return log_level::post(shared, caller, request.into_body()).await,
        (["v1", "retry", path @ ..], "POST") => return retry::post(shared, caller, path),
        (["v1", "sign" | "reload"] | ["v1", "retry", ..], _) => return Err(ApiError::only("POST")),
        (["v1", "outbox", path @ ..], _) => {
            return outbox::answer(shared, caller, &method, path, query.as_deref()).await;
        }
        (["topics" | "subscriptions", ..], _) => return messages(shared, caller, &segments, request).await,
        _ => {}
    }
    let resource: &dyn Fn() -> Result<Answer, ApiError> = match segments.as_slice() {
        ["v1", "credentials"] => &|| credentials::get(shared, caller, None),
        ["v1", "credentials", alias] => &|| credentials::get(shared, caller, Some(alias)),
        ["v1", "loopback"] => &|| environment::get(shared, caller, None),
        ["v1", "loopback", alias] => &|| environment::get(shared, caller, Some(alias)),
        ["v1", "status"] => &|| status::get(shared),
        ["metrics"] => &|| metrics::get(shared),
        ["v1", "csr"] => &|| csr::get(shared),
        ["v1", "log-level"] => &|| log_level::get(shared),
        _ => {
            return Err(
                ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such resource").hint(
                    "there are /v1/credentials, /v1/credentials/{alias}, /v1/loopback/{alias}, /v1/sign, /v1/status, /v1/outbox, /v1/csr, /v1/log-level, /v1/retry/{part}, /v1/reload, /topics/{topic}, /subscriptions and /metrics",
                ),
            );
        }
    };
    match method {
        Method::GET => resource(),
        _ => Err(ApiError::only("GET")),
    }
}

/// Publish, subscribe, and what goes with it.
async fn messages(
    shared: &Rc<ApiContext>,
    caller: &Caller,
    segments: &[&str],
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    // Whoever may have nothing of the kind is refused before anything is waited for: the thing name, the disk or a body.
    match (segments, request.method().as_str()) {
        (["topics", topic @ ..], "POST") => topics::check_publisher(shared, caller, topic)?,
        (["topics", filter @ ..], "GET") => topics::check_subscriber(shared, caller, filter)?,
        (["subscriptions", ..], _) if !shared.access.borrow().names(caller) => {
            shared.authorize_any(caller, Permission::Subscribe("#"))?;
        }
        _ => {}
    }
    match (segments, request.method().as_str()) {
        (["topics", topic @ ..], "POST") => topics::post(shared, caller, topic, request).await,
        (["topics", filter @ ..], "GET") => topics::get(shared, caller, filter, request.uri().query()).await,
        (["topics", ..], _) => Err(ApiError::only("GET, POST")),
        (["subscriptions"], "GET") => topics::list(shared, caller).await,
        (["subscriptions", name, "ack"], "POST") => topics::acknowledge(shared, caller, name, request).await,
        (["subscriptions", name], "DELETE") => topics::delete(shared, caller, name).await,
        (["subscriptions"], _) => Err(ApiError::only("GET")),
        (["subscriptions", _, "ack"], _) => Err(ApiError::only("POST")),
        (["subscriptions", _], _) => Err(ApiError::only("DELETE")),
        _ => Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such resource")
            .hint("there are /topics/{topic}, /subscriptions, /subscriptions/{name} and /subscriptions/{name}/ack")),
    }
}

/// Answers one request on the loopback listener, where there are credentials and messages.
///
/// # Errors
/// With the reason, for the caller.
pub async fn answer_to_bearer(
    shared: &Rc<ApiContext>,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let segments = segments(request.uri().path()).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let alias = match segments.as_slice() {
        ["topics" | "subscriptions", ..] => return messages(shared, caller, &segments, request).await,
        ["v1", "credentials"] => None,
        ["v1", "credentials", alias] => Some(*alias),
        _ => {
            return Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such resource")
                .hint("on the loopback listener there are /v1/credentials, /v1/credentials/{alias}, /topics/{topic} and /subscriptions"));
        }
    };
    match *request.method() {
        Method::GET => credentials::get(shared, caller, alias),
        _ => Err(ApiError::only("GET")),
    }
}

/// The metrics, which need no token on the loopback listener.
///
/// # Errors
/// With the reason, for the caller.
pub fn metrics(shared: &ApiContext, method: &Method) -> Result<Answer, ApiError> {
    match *method {
        Method::GET => metrics::get(shared),
        _ => Err(ApiError::only("GET")),
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
