//! Reasons for the account to refuse an operation. Each service maps them to its own error names and statuses.

use std::fmt;

/// The reason for the account to refuse an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The sort of it.
    pub kind: RefusalKind,
    /// AWS's words, or ours where its are not known.
    pub message: String,
    /// The ARN of the resource that is in the way, where AWS's answer names it.
    pub resource_arn: Option<String>,
}

/// The sorts of refusals (AWS IoT API Reference, the errors of each operation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request is not one that could ever be carried out.
    InvalidRequest,
    /// The resource does not exist.
    NotFound,
    /// The resource exists already.
    AlreadyExists,
    /// The resource to delete is still in use.
    DeleteConflict,
    /// The certificate to delete is still active.
    CertificateState,
    /// A certificate cannot be verified.
    CertificateValidation,
    /// The verification certificate does not hold the registration code.
    RegistrationCodeValidation,
    /// A policy has as many versions as it may.
    VersionsLimitExceeded,
    /// A document of IAM's is not one.
    MalformedDocument,
    /// The resource has changed since.
    VersionConflict,
    /// A template would change a property that it must not change.
    ResourceConflict,
    /// A quota is used up.
    LimitExceeded,
}

impl Refusal {
    /// A refusal with no resource to name.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            resource_arn: None,
        }
    }

    /// Refuses because the resource does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, message)
    }

    /// The request could never be carried out.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::InvalidRequest, message)
    }

    /// Refuses because the resource exists already.
    pub fn already_exists(message: impl Into<String>, arn: String) -> Self {
        Self {
            resource_arn: Some(arn),
            ..Self::new(RefusalKind::AlreadyExists, message)
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
