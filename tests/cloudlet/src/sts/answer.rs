//! STS's answers in XML (AWS STS API Reference, GetCallerIdentity and "Common Error Types").

use data_encoding::BASE32_NOPAD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use quick_xml::escape::escape;
use ring::digest::{SHA256, digest};

use crate::sessions::Session;
use crate::sigv4::Refusal;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Who signed.
pub(super) struct Caller {
    pub(super) access_key_id: String,
    pub(super) arn: String,
    account_id: String,
    user_id: String,
}

impl Caller {
    pub(super) fn of(session: &Session, account_id: &str) -> Self {
        // A role's path is not part of its sessions' ARN (IAM User Guide, "IAM identifiers").
        let role = session
            .role_arn
            .rsplit_once('/')
            .map_or(session.role_arn.as_str(), |(_, name)| name);
        let name = &session.session_name;
        Self {
            access_key_id: session.credentials.access_key_id.clone(),
            arn: format!("arn:aws:sts::{account_id}:assumed-role/{role}/{name}"),
            account_id: account_id.to_owned(),
            user_id: format!("{}:{name}", role_id(&session.role_arn)),
        }
    }
}

/// A role's unique ID: AROA and 17 characters, the same for the same role.
fn role_id(role_arn: &str) -> String {
    let hash = BASE32_NOPAD.encode(digest(&SHA256, role_arn.as_bytes()).as_ref());
    format!("AROA{}", hash.chars().take(17).collect::<String>())
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) access_key_id: Option<String>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            access_key_id: None,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(
        Refusal {
            code,
            message,
            access_key_id,
        }: Refusal,
    ) -> Self {
        Self {
            status: code.status(),
            code: code.name(),
            message,
            access_key_id,
        }
    }
}

pub(super) fn caller(caller: &Caller, request_id: &str) -> Response<Full<Bytes>> {
    let Caller {
        arn,
        account_id,
        user_id,
        ..
    } = caller;
    let (arn, account_id, user_id) = (escape(arn), escape(account_id), escape(user_id));
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
         <Arn>{arn}</Arn>\n    <UserId>{user_id}</UserId>\n    <Account>{account_id}</Account>\n  \
         </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  \
         </ResponseMetadata>\n</GetCallerIdentityResponse>\n"
    );
    respond(StatusCode::OK, request_id, body)
}

pub(super) fn failure(failure: &Failure, request_id: &str) -> Response<Full<Bytes>> {
    let Failure {
        status, code, message, ..
    } = failure;
    let message = escape(message);
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n    \
         <Message>{message}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
    );
    respond(*status, request_id, body)
}

fn respond(status: StatusCode, request_id: &str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), request_id);
    }
    response
}
