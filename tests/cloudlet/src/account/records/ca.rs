//! CA certificates, whose signatures make certificates devices of the account.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::time::EpochSeconds;
use crate::provisioning::Template;

/// The ID of a registered CA: lowercase hexadecimal SHA-256 of its DER.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaId(pub(in crate::account) String);

impl CaId {
    /// Returns the 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The certificate mode of a CA, which determines how AWS IoT finds the account of a certificate (developer guide, manage-your-CA-certs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateMode {
    /// By the CA. Only one account can register it, after proving that it holds the key.
    Default,
    /// By the host name in SNI.
    SniOnly,
}

/// The `registrationConfig` of a CA, for just-in-time provisioning of its certificates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RegistrationConfig {
    /// `templateBody` and `roleArn`.
    Body {
        /// The template.
        template: Template,
        /// The role to use; `None` if none is required (only the library can register that).
        role_arn: Option<String>,
    },
    /// `templateName`: the template and its role are looked up when a device connects.
    Named(String),
}

/// A registered CA.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaCertificate {
    /// Its ID.
    pub id: CaId,
    /// The certificate.
    pub pem: String,
    /// ACTIVE or INACTIVE; an inactive CA registers no new certificates (developer guide, deactivate-ca-cert).
    pub active: bool,
    /// ENABLE or DISABLE of `autoRegistrationStatus`.
    pub auto_registration: bool,
    /// The certificate mode.
    pub mode: CertificateMode,
    /// How new certificates are registered.
    pub registration_config: Option<RegistrationConfig>,
    /// When it was registered.
    pub created: EpochSeconds,
    /// When it was last changed.
    pub modified: EpochSeconds,
    /// Counts its changes.
    pub version: u32,
}
