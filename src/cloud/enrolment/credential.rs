//! The kinds of credentials that authenticate a request for a certificate.

use std::fmt;

/// The kind of credential that authenticates a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A secret.
    Secret,
    /// The bootstrap certificate.
    BootstrapCertificate,
    /// The certificate that is being renewed.
    CurrentCertificate,
    /// The enrolment program's own credential.
    Program,
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "the secret",
            Self::BootstrapCertificate => "the bootstrap certificate",
            Self::CurrentCertificate => "the certificate that is to be renewed",
            Self::Program => "the enrolment program's credential",
        })
    }
}
