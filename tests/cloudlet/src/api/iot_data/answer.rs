//! Responses that several operations of the data plane share.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::api::failure::Failure;

/// Returns the response for a message that was sent.
pub(super) fn sent(request_id: &str) -> Value {
    json!({ "message": "OK", "traceId": request_id })
}

pub(super) fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "InvalidRequestException", message)
}
