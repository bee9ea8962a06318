//! Reasons to refuse a request, with AWS's error codes.

use std::fmt;

use hyper::StatusCode;

/// AWS's error codes for requests that are not properly signed (IAM API Reference, "Common Error Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is not signed.
    MissingAuthenticationToken,
    /// The request is signed, but not according to Signature Version 4.
    IncompleteSignature,
    /// The access key ID or the session token was never issued, or they do not belong together.
    InvalidClientTokenId,
    /// The session has expired.
    ExpiredToken,
    /// The presigned URL has expired.
    RequestExpired,
    /// The key, the scope or the time is wrong, or the request was changed.
    SignatureDoesNotMatch,
}

impl Code {
    /// Returns the error code in AWS's response.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::IncompleteSignature => "IncompleteSignature",
            Self::InvalidClientTokenId => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
            Self::RequestExpired => "RequestExpired",
            Self::SignatureDoesNotMatch => "SignatureDoesNotMatch",
        }
    }

    /// Returns the HTTP status that belongs to it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::IncompleteSignature | Self::RequestExpired => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

/// A refusal with AWS's message. It never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// AWS's error code.
    pub code: Code,
    /// AWS's message.
    pub message: String,
    /// The access key ID in the request.
    pub access_key_id: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            access_key_id: None,
        }
    }

    pub(super) fn of(self, access_key_id: &str) -> Self {
        Self {
            access_key_id: Some(access_key_id.to_owned()),
            ..self
        }
    }

    pub(super) fn incomplete(message: impl Into<String>) -> Self {
        Self::new(Code::IncompleteSignature, message)
    }

    pub(super) fn unknown_credentials() -> Self {
        Self::new(
            Code::InvalidClientTokenId,
            "The security token included in the request is invalid.",
        )
    }

    pub(super) fn wrong_signature() -> Self {
        Self::new(
            Code::SignatureDoesNotMatch,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Refusal {}
