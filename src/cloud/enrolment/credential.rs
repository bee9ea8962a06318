//! The credential that authenticates a request for a certificate.

use std::fmt;

/// The credential that authenticates a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A secret.
    Secret,
    /// The bootstrap certificate.
    BootstrapCertificate,
    /// The certificate that is being renewed.
    CurrentCertificate,
    /// The enrolment program's own credential.
    Program,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "the secret",
            Self::BootstrapCertificate => "the bootstrap certificate",
            Self::CurrentCertificate => "the certificate that is to be renewed",
            Self::Program => "the enrolment program's credential",
        })
    }
}
