//! The error response of every resource: a code for programs, a message and a hint for people.

use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{ALLOW, CONNECTION, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use super::response::{Response, with_status};
use super::response_body::ResponseBody;
use crate::local::access::AccessDeniedError;
use crate::local::limits::{RateLimitError, TooManyWaitersError};
use crate::messages::{StoreError, SubmitError};
use crate::problem::Problem;

/// An error response: the reason and, where there is one, the next step.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    /// Boxed, because most errors have none and results should stay small.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    closes: bool,
}

/// The JSON body.
#[derive(Serialize)]
struct Document<'a> {
    code: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
    #[serde(flatten)]
    sdk_fields: Option<SdkFields<'a>>,
}

/// Code and message under the names that some SDKs' container providers read: botocore and Java read `code` and `message`;
/// Rust reads `Code` and `Message`, as the ECS agent's own documents have them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SdkFields<'a> {
    code: &'a str,
    message: &'a str,
}

impl ApiError {
    /// Creates an error without a hint. `code` is for programs, `message` for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            header: None,
            closes: false,
        }
    }

    /// Creates an error with the message and the next step of a problem.
    pub fn from_problem(status: StatusCode, code: &'static str, problem: &Problem) -> Self {
        Self {
            hint: problem.next_step.clone(),
            ..Self::new(status, code, &problem.message)
        }
    }

    /// Creates a 400 response.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// Creates a 503 response for something that is not available yet, with the cause and the time to retry after.
    pub fn not_ready(problem: &Problem) -> Self {
        // A request is cheap, and what is missing may become available at any moment.
        Self::from_problem(StatusCode::SERVICE_UNAVAILABLE, "not_ready", problem)
            .header(RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// Creates a 503 response for something that is being created at this moment, and that the caller should wait for.
    pub fn coming(problem: &Problem) -> Self {
        Self::from_problem(StatusCode::SERVICE_UNAVAILABLE, "coming", problem)
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Creates a 404 response for a path that has no resource.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "no such resource")
    }

    /// Creates a 405 response for a resource that has only `methods`.
    pub fn method_not_allowed(methods: &str) -> Self {
        let message = format!("this resource accepts only {methods}");
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        match HeaderValue::from_str(methods) {
            Ok(value) => error.header(ALLOW, value),
            Err(_) => error,
        }
    }

    /// Creates a 429 response.
    pub fn too_many(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, message)
    }

    /// Sets the additional header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a remark to the message, if there is one.
    #[must_use]
    pub fn remark(mut self, remark: Option<&str>) -> Self {
        if let Some(remark) = remark {
            self.message = format!("{}; {remark}", self.message);
        }
        self
    }

    /// Makes the response close the connection.
    #[must_use]
    pub fn and_close(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Creates the response for the Unix socket.
    pub fn into_response(self) -> Response {
        self.render(None)
    }

    /// Creates the response for an SDK on the loopback listener.
    pub fn into_sdk_response(self) -> Response {
        self.render(Some(SdkFields {
            code: self.code,
            message: &self.message,
        }))
    }

    fn render(&self, sdk_fields: Option<SdkFields>) -> Response {
        let document = Document {
            code: self.code,
            message: &self.message,
            hint: self.hint.as_deref(),
            sdk_fields,
        };
        // A document of strings always serializes.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let body = ResponseBody::Full(Full::new(body.into()));
        let mut response = with_status(self.status, "application/json", body);
        let headers = response.headers_mut();
        if let Some((name, value)) = self.header.as_deref() {
            headers.insert(name, value.clone());
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<AccessDeniedError> for ApiError {
    fn from(error: AccessDeniedError) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_allowed", error.message).hint(error.hint)
    }
}

impl From<RateLimitError> for ApiError {
    fn from(error: RateLimitError) -> Self {
        Self::too_many("too_many_requests", error.to_string())
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
            .hint("keep credentials until they are about to expire, as the SDKs do, instead of asking for each use")
    }
}

impl From<TooManyWaitersError> for ApiError {
    fn from(error: TooManyWaitersError) -> Self {
        Self::too_many("too_many_waiting", error.to_string())
            .hint("publish without wait=ack: a message that is answered 200 is kept until AWS has it")
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Full(problem) => Self::from_problem(StatusCode::INSUFFICIENT_STORAGE, "outbox_full", &problem),
            SubmitError::DiskFull(problem) => {
                Self::from_problem(StatusCode::INSUFFICIENT_STORAGE, "disk_full", &problem)
            }
            SubmitError::Unusable(problem) => Self::not_ready(&problem),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::not_ready(&error.problem)
    }
}
