//! Why an operation was not carried out; each service words it in its own protocol.

use hyper::StatusCode;

/// Why an operation was not carried out.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// AWS's name for it, as in `ResourceNotFoundException`.
    pub(super) code: String,
    pub(super) message: String,
    /// Who asked, as far as that is known.
    pub(super) access_key_id: Option<String>,
    /// What was asked for, as far as that is known.
    pub(super) operation: Option<&'static str>,
    /// What else AWS's answer holds, as in `resourceArn`.
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
