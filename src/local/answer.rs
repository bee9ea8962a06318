//! What goes back over the socket: bodies, and errors in one shape.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::problem::Problem;

/// A whole answer.
pub type Answer = Response<Full<Bytes>>;

/// An error as a caller reads it.
#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
}

/// A good answer.
pub fn ok(content_type: &'static str, body: Bytes) -> Answer {
    answer(StatusCode::OK, content_type, body)
}

/// A good answer that is a document of ours.
pub fn json(document: &impl Serialize) -> Answer {
    match serde_json::to_vec(document) {
        Ok(body) => ok("application/json", body.into()),
        Err(error) => self::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string(), None),
    }
}

/// An error: what happened, and where one can say it, what to do.
pub fn error(status: StatusCode, code: &str, message: &str, hint: Option<&str>) -> Answer {
    let body = serde_json::to_vec(&ErrorBody { code, message, hint }).unwrap_or_default();
    answer(status, "application/json", body.into())
}

/// 503: nothing to give yet, with the real cause, and when to ask again.
pub fn not_ready(why: &Problem) -> Answer {
    let answer = error(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_ready",
        &why.message,
        why.next_step.as_deref(),
    );
    // Asking is cheap here, and what is missing may come at any moment.
    with(answer, RETRY_AFTER, "5")
}

/// 405: only GET is understood.
pub fn only_get() -> Answer {
    with(
        error(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this resource is read with GET",
            None,
        ),
        ALLOW,
        "GET",
    )
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    with(with(answer, CONTENT_TYPE, content_type), CACHE_CONTROL, "no-store")
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
