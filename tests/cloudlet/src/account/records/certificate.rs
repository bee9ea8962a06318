//! Device certificates.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ca::CaId;
use crate::Error;
use crate::account::time::EpochSeconds;
use crate::x509::ParsedCertificate;

/// The ID of a device certificate: lowercase hexadecimal SHA-256 of its DER.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CertificateId(pub(in crate::account) String);

impl CertificateId {
    /// Computes the ID of a PEM certificate, registered or not.
    pub fn of_pem(pem: &str) -> Result<Self, Error> {
        ParsedCertificate::from_pem(pem.as_bytes()).map(|parsed| Self::of(&parsed))
    }

    pub(crate) fn of(certificate: &ParsedCertificate) -> Self {
        Self(certificate.fingerprint())
    }

    /// Returns the 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The status of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateStatus {
    /// Registered by JITP or JITR, which has not finished yet.
    PendingActivation,
    /// The certificate may connect.
    Active,
    /// The certificate may not connect, but can be activated again.
    Inactive,
    /// The certificate may never connect again (developer guide, activate-or-deactivate-device-cert).
    Revoked,
}

impl fmt::Display for CertificateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Revoked => "REVOKED",
        })
    }
}

/// A registered device certificate and its attachments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certificate {
    /// Its ID.
    pub id: CertificateId,
    /// The certificate; `None` if a test has registered only its ID.
    pub pem: Option<String>,
    /// The status.
    pub status: CertificateStatus,
    /// The registered CA that signed it; `None` if it was registered without a CA.
    pub ca: Option<CaId>,
    /// The names of the policies attached to it.
    pub policies: BTreeSet<String>,
    /// The names of the things it is attached to.
    pub things: BTreeSet<String>,
    /// When it was registered.
    pub created: EpochSeconds,
    /// When its status was last changed.
    pub modified: EpochSeconds,
}
