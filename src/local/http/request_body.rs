//! Reads a request's body within a size and a time limit.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::error::ApiError;

/// Maximum time until the body is complete.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a request's body of at most `limit` bytes.
///
/// # Errors
/// If the body is longer, ends early, or takes too long.
pub async fn read_body(body: Incoming, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        let message = format!("the body has more than {limit} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    // A body whose announced length is too large is rejected before the caller sends it.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    match timeout(TIMEOUT, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(ApiError::malformed(format!(
            "the body ended early or is malformed: {error}"
        ))),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the body was not complete after {} s", TIMEOUT.as_secs()),
        )),
    }
}
