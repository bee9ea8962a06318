//! JSON responses and AWS's error codes (AWS IoT API Reference, the errors of each operation).

use std::collections::BTreeMap;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::Error;
use crate::account::{Account, Refusal, RefusalKind};
use crate::api::failure::Failure;
use crate::sigv4;

/// Returns the response with an operation's result.
pub(in crate::api) fn success(result: &Value, request_id: &str) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, result, request_id)
}

/// Returns an error response: its code in `x-amzn-ErrorType`, its message in the body.
pub(in crate::api) fn refuse(failure: &Failure, request_id: &str) -> Response<Full<Bytes>> {
    let details = failure.details.iter().map(|(name, value)| (*name, value));
    let body: BTreeMap<&str, &String> = details.chain([("message", &failure.message)]).collect();
    let mut response = respond(failure.status, &json!(body), request_id);
    if let Ok(code) = HeaderValue::try_from(&failure.code) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-amzn-errortype"), code);
    }
    response
}

/// Returns the failure of a request that no operation matches.
pub(in crate::api) fn unknown_operation(method: &Method, path: &str) -> Failure {
    let message = format!("{method} {path} is not an operation that is known here");
    Failure::new(StatusCode::NOT_FOUND, "UnknownOperationException", message)
}

/// Converts a rejected signature to the error codes of services that use JSON (API Reference, "Common Errors").
pub(in crate::api) fn unsigned(refusal: sigv4::Refusal) -> Failure {
    let code = match refusal.code {
        sigv4::Code::MissingAuthenticationToken => "MissingAuthenticationTokenException",
        sigv4::Code::IncompleteSignature => "IncompleteSignatureException",
        sigv4::Code::InvalidClientTokenId => "UnrecognizedClientException",
        sigv4::Code::ExpiredToken => "ExpiredTokenException",
        sigv4::Code::RequestExpired => "RequestExpired",
        sigv4::Code::SignatureDoesNotMatch => "InvalidSignatureException",
    };
    Failure::new(refusal.code.status(), code, refusal.message).of(refusal.access_key_id)
}

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;

/// Converts an error of an operation; the response contains the ARN of a resource that exists already.
pub(super) fn failure(error: Error, account: &Account) -> Failure {
    let resource = match &error {
        Error::Refused(refusal) => refusal.resource.clone(),
        _ => None,
    };
    let mut failure = Failure::from(error);
    let arn = resource.map(|resource| account.iot_arn(resource.kind, &resource.name));
    failure.details.extend(arn.map(|arn| ("resourceArn", arn)));
    failure
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Certificate(message) => Self::new(BAD_REQUEST, "CertificateValidationException", message),
            Error::Policy(message) => Self::new(BAD_REQUEST, "MalformedPolicyException", message),
            Error::Template(message) => Self::new(BAD_REQUEST, "InvalidRequestException", message),
            // For the caller, a file that cannot be written is an internal failure of the cloud.
            other => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalFailureException",
                other.to_string(),
            ),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal.kind {
            RefusalKind::InvalidRequest => (400, "InvalidRequestException"),
            RefusalKind::NotFound => (404, "ResourceNotFoundException"),
            RefusalKind::AlreadyExists => (409, "ResourceAlreadyExistsException"),
            RefusalKind::DeleteConflict => (409, "DeleteConflictException"),
            RefusalKind::CertificateState => (406, "CertificateStateException"),
            RefusalKind::CertificateValidation => (400, "CertificateValidationException"),
            RefusalKind::RegistrationCodeValidation => (400, "RegistrationCodeValidationException"),
            RefusalKind::VersionsLimitExceeded => (409, "VersionsLimitExceededException"),
            RefusalKind::MalformedDocument => (400, "MalformedPolicyException"),
            RefusalKind::VersionConflict => (409, "VersionConflictException"),
            RefusalKind::ResourceConflict => (409, "ConflictingResourceUpdateException"),
            RefusalKind::LimitExceeded => (410, "LimitExceededException"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(BAD_REQUEST);
        Self::new(status, code, refusal.message)
    }
}

fn respond(status: StatusCode, body: &Value, request_id: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), request_id);
    }
    response
}
