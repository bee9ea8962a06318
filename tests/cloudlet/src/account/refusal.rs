//! Reasons for the account to refuse an operation. Each service maps them to its own error names and statuses.

use std::fmt;

/// The reason for the account to refuse an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of refusal.
    pub kind: RefusalKind,
    /// AWS's message, or our own if AWS's is unknown.
    pub message: String,
    /// The resource that exists already, if AWS's response contains its ARN.
    pub resource: Option<Resource>,
}

/// A resource of AWS IoT in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The kind, as in ARNs: `thing`, `cert`, `policy`.
    pub kind: &'static str,
    /// The name, or the ID of a certificate.
    pub name: String,
}

/// The kinds of refusals (AWS IoT API Reference, the errors of each operation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request is invalid.
    InvalidRequest,
    /// The resource does not exist.
    NotFound,
    /// The resource already exists.
    AlreadyExists,
    /// The resource to delete is still in use.
    DeleteConflict,
    /// The certificate to delete is still active.
    CertificateState,
    /// A certificate cannot be verified.
    CertificateValidation,
    /// The verification certificate does not contain the registration code.
    RegistrationCodeValidation,
    /// The policy has the maximum number of versions.
    VersionsLimitExceeded,
    /// An IAM document is malformed.
    MalformedDocument,
    /// The resource has been changed meanwhile.
    VersionConflict,
    /// A template would change a property that it must not change.
    ResourceConflict,
    /// A quota is used up.
    LimitExceeded,
}

impl Refusal {
    /// Creates a refusal that names no resource.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            resource: None,
        }
    }

    /// Creates a refusal because the resource does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, message)
    }

    /// Creates a refusal of an invalid request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::InvalidRequest, message)
    }

    /// Creates a refusal because the resource already exists.
    pub fn already_exists(message: impl Into<String>, kind: &'static str, name: &str) -> Self {
        let name = name.to_owned();
        Self {
            resource: Some(Resource { kind, name }),
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
