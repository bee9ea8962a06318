//! Creates responses.

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::response_body::{LineSource, ResponseBody};

/// A response.
pub type Response = hyper::Response<ResponseBody>;

/// Creates a response with status 200.
pub fn ok(content_type: &'static str, body: Bytes) -> Response {
    with_status(StatusCode::OK, content_type, ResponseBody::Full(Full::new(body)))
}

/// Creates a response that streams lines of JSON.
pub fn lines(source: impl LineSource + 'static) -> Response {
    // The media type is not registered, but usual for JSON line by line (ndjson.org).
    let body = ResponseBody::Lines(Box::new(source));
    with_status(StatusCode::OK, "application/x-ndjson", body)
}

/// Creates a response with `document` as JSON.
pub fn json(document: &impl Serialize) -> Response {
    // Serialization fails only for maps whose keys are not strings and for values that refuse it; no document has either.
    ok(
        "application/json",
        serde_json::to_vec(document).unwrap_or_default().into(),
    )
}

/// Creates a response that no cache may store.
pub fn with_status(status: StatusCode, content_type: &'static str, body: ResponseBody) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
