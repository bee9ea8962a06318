//! What goes back to a caller: bodies, and refusals in one shape.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::problem::Problem;

/// A whole answer.
pub type Answer = Response<Full<Bytes>>;

/// A good answer.
pub fn ok(content_type: &'static str, body: Bytes) -> Answer {
    answer(StatusCode::OK, content_type, body)
}

/// A good answer that is a document of ours.
///
/// # Errors
/// Where the document cannot become JSON, which none of ours does.
pub fn json(document: &impl Serialize) -> Result<Answer, Refusal> {
    match serde_json::to_vec(document) {
        Ok(body) => Ok(ok("application/json", body.into())),
        Err(error) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            error.to_string(),
        )),
    }
}

/// Why a caller does not get what it asked for: what happened, and where one can say it, what to do.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    header: Option<(HeaderName, &'static str)>,
}

/// A refusal as a caller reads it.
#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
    #[serde(flatten)]
    for_sdks: Option<SdkBody<'a>>,
}

/// The same again under the names that the SDKs' container providers look for: botocore and Java read `code` and
/// `message`, Rust and the ECS agent's own documents have `Code` and `Message`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SdkBody<'a> {
    code: &'a str,
    message: &'a str,
}

impl Refusal {
    /// A refusal without a hint. `code` is for programs, `message` for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            header: None,
        }
    }

    /// 503: nothing to give yet, with the real cause, and when to ask again.
    pub fn not_ready(why: &Problem) -> Self {
        Self {
            hint: why.next_step.clone(),
            // Asking is cheap here, and what is missing may come at any moment.
            header: Some((RETRY_AFTER, "5")),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", &why.message)
        }
    }

    /// 405: the resource has one method only.
    pub fn only(method: &'static str) -> Self {
        Self {
            header: Some((ALLOW, method)),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                format!("this resource takes {method} only"),
            )
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The answer on the Unix socket.
    pub fn answer(&self) -> Answer {
        self.render(None)
    }

    /// The answer to an SDK on the loopback listener.
    pub fn answer_to_sdk(&self) -> Answer {
        self.render(Some(SdkBody {
            code: self.code,
            message: &self.message,
        }))
    }

    fn render(&self, for_sdks: Option<SdkBody>) -> Answer {
        let body = Body {
            code: self.code,
            message: &self.message,
            hint: self.hint.as_deref(),
            for_sdks,
        };
        // Strings cannot fail to become JSON.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut answer = answer(self.status, "application/json", body.into());
        if let Some((name, value)) = &self.header {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
