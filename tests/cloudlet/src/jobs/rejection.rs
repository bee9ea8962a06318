//! Errors, with the codes of the developer guide (jobs-api, "ErrorResponse").

use serde_json::{Value, json};

use crate::Error;
use crate::account::{Refusal, RefusalKind};
use crate::json::set;

/// A request that was not carried out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rejection {
    code: &'static str,
    message: String,
    /// The state of the execution, if the code means that it differs from what the device assumes.
    pub(super) execution_state: Option<Value>,
    client_token: Option<Value>,
}

impl Rejection {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            execution_state: None,
            client_token: None,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidRequest", message)
    }

    pub(super) fn with_state(self, execution_state: Value) -> Self {
        Self {
            execution_state: Some(execution_state),
            ..self
        }
    }

    pub(super) fn with_token(self, client_token: Option<Value>) -> Self {
        Self { client_token, ..self }
    }

    /// Returns the document for the topic `rejected`.
    pub(super) fn payload(&self) -> Value {
        let mut document = json!({
            "code": self.code, "message": self.message, "timestamp": crate::json::unix_seconds(),
        });
        if let Some(state) = &self.execution_state {
            set(&mut document, "executionState", state.clone());
        }
        if let Some(token) = &self.client_token {
            set(&mut document, "clientToken", token.clone());
        }
        document
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let kind = match rejection.code {
            "ResourceNotFound" => RefusalKind::NotFound,
            "ResourceAlreadyExists" => RefusalKind::AlreadyExists,
            _ => RefusalKind::InvalidRequest,
        };
        Refusal::new(kind, rejection.message).into()
    }
}
