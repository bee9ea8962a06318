//! Errors, with the messages of the developer guide (device-shadow-error-messages).

use crate::json::set;
use serde_json::{Value, json};

/// A request that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) code: u16,
    pub(crate) message: String,
    pub(super) client_token: Option<Value>,
}

impl Rejection {
    pub(super) fn new(code: u16, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            client_token: None,
        }
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::new(400, message)
    }

    /// Adds the token of the request.
    pub(super) fn with_token(self, client_token: Option<&Value>) -> Self {
        Self {
            client_token: client_token.cloned(),
            ..self
        }
    }

    /// Returns the document for the topic `rejected`.
    pub(super) fn payload(&self) -> Value {
        let mut document = json!({
            "code": self.code, "message": self.message, "timestamp": crate::json::unix_seconds(),
        });
        if let Some(token) = &self.client_token {
            set(&mut document, "clientToken", token.clone());
        }
        document
    }
}
