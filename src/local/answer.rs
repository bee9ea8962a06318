//! What goes back to a caller: bodies, and refusals in one shape.

use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::access::Permission;
use super::body::Body;
use super::caller::Caller;
use super::hint;
use crate::messages::{StoreError, SubmitError, Subscription};
use crate::problem::Problem;
use crate::user_accounts::UserAccounts;

/// An answer.
pub type Answer = Response<Body>;

/// A good answer.
pub fn ok(content_type: &'static str, body: Bytes) -> Answer {
    answer(StatusCode::OK, content_type, Body::Whole(Full::new(body)))
}

/// A good answer that goes on: one JSON object a line.
pub fn lines(subscription: Subscription) -> Answer {
    // Not registered; what most who write JSON line by line use (ndjson.org).
    answer(
        StatusCode::OK,
        "application/x-ndjson",
        Body::Lines(Box::new(subscription)),
    )
}

/// A good answer that is a document of ours.
///
/// # Errors
/// Where the document cannot become JSON, which none of ours does.
pub fn json(document: &impl Serialize) -> Result<Answer, ApiError> {
    match serde_json::to_vec(document) {
        Ok(body) => Ok(ok("application/json", body.into())),
        Err(error) => Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            error.to_string(),
        )),
    }
}

/// Why a caller does not get what it asked for: what happened, and where one can say it, what to do.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    header: Option<(HeaderName, &'static str)>,
    closes: bool,
}

/// A refusal as a caller reads it.
#[derive(Serialize)]
struct Document<'a> {
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

impl ApiError {
    /// A refusal without a hint. `code` is for programs, `message` for people.
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

    /// A refusal because of a problem, in its words.
    pub fn of(status: StatusCode, code: &'static str, why: &Problem) -> Self {
        Self {
            hint: why.next_step.clone(),
            ..Self::new(status, code, &why.message)
        }
    }

    /// 400.
    pub fn malformed(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", why)
    }

    /// 403: no rule gives the caller what it wants. `accounts` names users, `thing` is this gateway's thing name, `drop_ins` the
    /// configuration's folder for further files, as the hint names them.
    pub fn not_allowed(
        caller: &Caller,
        accounts: &UserAccounts,
        permission: Permission,
        thing: &str,
        drop_ins: &Path,
    ) -> Self {
        let refusal = |message| Self::new(StatusCode::FORBIDDEN, "not_allowed", message);
        let Caller::Peer(peer) = caller else {
            return refusal(format!("no [[access]] rule gives {caller} the {permission}"))
                .hint("what the holder of a token may have is what its rule in gatepost's configuration gives");
        };
        let unit = peer.unit.as_ref().map(|unit| format!(", {unit}")).unwrap_or_default();
        let (uid, gid) = (peer.uid, peer.gid);
        refusal(format!(
            "no [[access]] rule gives uid {uid} (gid {gid}{unit}) the {permission}"
        ))
        .hint(hint::missing_rule(peer, accounts, permission, thing, drop_ins))
    }

    /// 503: nothing to give yet, with the real cause, and when to ask again.
    pub fn not_ready(why: &Problem) -> Self {
        Self {
            // Asking is cheap here, and what is missing may come at any moment.
            header: Some((RETRY_AFTER, "5")),
            ..Self::of(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why)
        }
    }

    /// 503: nothing is wrong, and what is asked for is being made at this moment. Whoever can wait for it should.
    pub fn coming(why: &Problem) -> Self {
        Self {
            header: Some((RETRY_AFTER, "1")),
            ..Self::of(StatusCode::SERVICE_UNAVAILABLE, "coming", why)
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

    /// Adds something to the message.
    #[must_use]
    pub fn remark(mut self, words: &str) -> Self {
        self.message = format!("{}; {words}", self.message);
        self
    }

    /// Ends the connection after the answer.
    #[must_use]
    pub fn and_close(mut self) -> Self {
        self.closes = true;
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
        let body = Document {
            code: self.code,
            message: &self.message,
            hint: self.hint.as_deref(),
            for_sdks,
        };
        // Strings cannot fail to become JSON.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let body = Body::Whole(Full::new(body.into()));
        let mut answer = answer(self.status, "application/json", body);
        if let Some((name, value)) = &self.header {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if self.closes {
            answer
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

impl From<SubmitError> for ApiError {
    fn from(why: SubmitError) -> Self {
        match why {
            SubmitError::Full(why) => Self::of(StatusCode::INSUFFICIENT_STORAGE, "outbox_full", &why),
            SubmitError::DiskFull(why) => Self::of(StatusCode::INSUFFICIENT_STORAGE, "disk_full", &why),
            SubmitError::Unusable(why) => Self::not_ready(&why),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(failure: StoreError) -> Self {
        Self::not_ready(&failure.problem)
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
