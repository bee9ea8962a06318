//! Dispatches requests to their handlers.

use std::rc::Rc;

use hyper::Request;
use hyper::body::Incoming;

use super::routes::{Handler, ListenerKind, Route, find_route, has_resource};
use super::{
    credentials, csr, log_level, loopback_env, metrics, outbox, reload, renew, retry, sign, status, subscriptions,
    token, topics,
};
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{ApiError, Response};
use crate::percent;

/// Responds to a request on the Unix socket.
///
/// # Errors
/// The error response.
pub async fn respond_on_socket(
    context: &Rc<ApiContext>,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let segments = decode_segments(request.uri().path())
        .ok_or_else(|| ApiError::malformed("the path is not percent-encoded UTF-8"))?;
    respond(ListenerKind::Socket, context, caller, &segments, request).await
}

/// Responds to a request with a token on the loopback listener.
///
/// # Errors
/// The error response.
pub async fn respond_on_loopback(
    context: &Rc<ApiContext>,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    // A path that cannot be decoded has no resource.
    let segments = decode_segments(request.uri().path()).unwrap_or_default();
    respond(ListenerKind::LoopbackWithToken, context, caller, &segments, request).await
}

/// Returns whether the path is a resource that needs no token on the loopback listener.
pub fn needs_no_token(path: &str) -> bool {
    let segments = decode_segments(path).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    has_resource(ListenerKind::LoopbackOpen, &segments)
}

/// Responds to a request without a token on the loopback listener: for the metrics, which every local user may read.
///
/// # Errors
/// The error response.
pub fn respond_without_token(context: &ApiContext, request: &Request<Incoming>) -> Result<Response, ApiError> {
    let segments = decode_segments(request.uri().path()).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match find_route(ListenerKind::LoopbackOpen, request.method().as_str(), &segments)? {
        (
            Route {
                handler: Handler::Metrics,
                ..
            },
            _,
        ) => metrics::get(context),
        _ => Err(ApiError::not_found()),
    }
}

async fn respond(
    listener: ListenerKind,
    context: &Rc<ApiContext>,
    caller: &Caller,
    segments: &[String],
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (route, values) = find_route(listener, request.method().as_str(), &segments)?;
    let query = request.uri().query().map(str::to_owned);
    let first = values.first().copied();
    let value = first.unwrap_or_default();
    match route.handler {
        Handler::Credentials => credentials::get(context, caller, first),
        Handler::LoopbackEnv => loopback_env::get(context, caller, first),
        Handler::Token => token::get(context, caller, query.as_deref()),
        Handler::Sign => sign::post(context, caller, request.into_body()).await,
        Handler::Status => Ok(status::get(context)),
        Handler::Metrics => metrics::get(context),
        Handler::Csr => csr::get(context),
        Handler::LogLevel => Ok(log_level::get(context)),
        Handler::SetLogLevel => log_level::post(context, caller, request.into_body()).await,
        Handler::Retry => retry::post(context, caller, &values),
        Handler::Renew => renew::post(context, caller),
        Handler::Reload => reload::post(context, caller).await,
        Handler::ListOutbox => {
            let is_parked = segments.last() == Some(&"parked");
            outbox::list(context, caller, is_parked, query.as_deref()).await
        }
        Handler::ShowMessage => outbox::show(context, caller, value).await,
        Handler::PurgeOutbox => outbox::purge(context, caller, value).await,
        Handler::RetryOutbox => outbox::retry(context, caller, value).await,
        Handler::Publish => topics::publish(context, caller, &values, request).await,
        Handler::Subscribe => topics::subscribe(context, caller, &values, query.as_deref()).await,
        Handler::ListSubscriptions => subscriptions::list(context, caller).await,
        Handler::DeleteSubscription => subscriptions::delete(context, caller, value).await,
        Handler::Acknowledge => subscriptions::acknowledge(context, caller, value, request.into_body()).await,
    }
}

/// Splits the path and then decodes its segments, so that an encoded slash is part of a name and never a separator.
fn decode_segments(path: &str) -> Option<Vec<String>> {
    let decode = |segment| String::from_utf8(percent::decode(segment)?).ok();
    path.strip_prefix('/')?.split('/').map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_slashes_stay_inside_a_name() {
        assert_eq!(
            decode_segments("/v1/credentials/a%2fb").unwrap(),
            ["v1", "credentials", "a/b"]
        );
        assert_eq!(
            decode_segments("/v1/credentials/..").unwrap(),
            ["v1", "credentials", ".."]
        );
        for bad in ["/v1/%2", "/v1/%ff", "v1"] {
            assert_eq!(decode_segments(bad), None, "{bad}");
        }
    }
}
