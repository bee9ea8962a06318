//! CA certificates: whose signature makes a certificate one of the account's devices.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::time::EpochSeconds;
use crate::provisioning::Template;

/// Names a registered CA: lowercase hexadecimal SHA-256 of its DER.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaId(pub(in crate::account) String);

impl CaId {
    /// The 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The certificate mode of a CA: how AWS IoT finds the account of a certificate (developer guide, manage-your-CA-certs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateMode {
    /// By the CA. Only one account can register it, and that account has proved that it holds the key.
    Default,
    /// By the host name in SNI.
    SniOnly,
}

/// The `registrationConfig` of a CA: how just-in-time provisioning treats its certificates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RegistrationConfig {
    /// `templateBody` and `roleArn`.
    Body {
        /// The template.
        template: Template,
        /// The role it is carried out with; without one it always may (only the library can register that).
        role_arn: Option<String>,
    },
    /// `templateName`: the template and its role are looked up when a device comes.
    Named(String),
}

/// A registered CA and what is to happen when a device shows a certificate it signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaCertificate {
    /// Its name.
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
