//! Rejections, as devices receive them.

use std::fmt;

use serde_json::{Value, json};

use crate::Error;
use crate::account::RefusalKind;

/// The reason why a request is rejected. The developer guide documents the three members. Of the codes only
/// InvalidCertificateOwnershipToken has been observed (aws-iot-device-sdk-js-v2 issue 69); the others are named after errors of the control
/// plane.
#[derive(Debug)]
pub(super) struct Rejection {
    status: u16,
    code: &'static str,
    message: String,
}

impl Rejection {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn invalid_payload(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidPayload", message)
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidCertificateSigningRequest", message)
    }

    pub(super) fn invalid_token(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidCertificateOwnershipToken", message)
    }

    pub(super) fn payload(&self) -> Value {
        json!({ "statusCode": self.status, "errorCode": self.code, "errorMessage": self.message })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match &error {
            Error::Refused(refusal) => match refusal.kind {
                RefusalKind::NotFound => Self::new(404, "ResourceNotFound", message),
                RefusalKind::ResourceConflict | RefusalKind::AlreadyExists => {
                    Self::new(409, "ResourceConflict", message)
                }
                RefusalKind::LimitExceeded => Self::new(429, "LimitExceeded", message),
                _ => Self::new(400, "InvalidRequest", message),
            },
            Error::Template(_) => Self::new(400, "InvalidParameters", message),
            Error::Certificate(_) => Self::invalid_request(message),
            _ => Self::new(500, "InternalFailure", message),
        }
    }
}
