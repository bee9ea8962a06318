//! Failed operations, which each service renders in its own protocol.

use hyper::StatusCode;

/// A failed operation.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// AWS's error code, such as `ResourceNotFoundException`.
    pub(super) code: String,
    pub(super) message: String,
    /// The access key ID of the caller, if known.
    pub(super) access_key_id: Option<String>,
    /// The operation, if known.
    pub(super) operation: Option<&'static str>,
    /// Further fields of AWS's response, such as `resourceArn`.
    pub(super) details: Vec<(&'static str, String)>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            access_key_id: None,
            operation: None,
            details: Vec::new(),
        }
    }

    pub(super) fn of(self, access_key_id: Option<String>) -> Self {
        Self { access_key_id, ..self }
    }

    pub(super) fn in_operation(self, operation: &'static str) -> Self {
        Self {
            operation: Some(operation),
            ..self
        }
    }
}
