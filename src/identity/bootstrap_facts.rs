//! The facts about a bootstrap certificate that `gatepost check` reports.

use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;

use super::bootstrap_certificate::{BootstrapCertificate, not_for_key, parse, read_certificates_alone, select};
use super::name::describe;
use super::usage;
use super::validity::to_system_time;
use crate::problem::Problem;
use crate::token::NamedKey;

/// The facts about a bootstrap certificate that `gatepost check` reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapFacts {
    /// Its subject as text.
    pub subject: String,
    /// The name of the CA that has issued it, as text.
    pub issuer: String,
    /// Start of validity.
    pub not_before: SystemTime,
    /// End of validity.
    pub not_after: SystemTime,
    /// Extensions by which it is not for TLS clients.
    pub usage_faults: Vec<Problem>,
}

impl BootstrapFacts {
    /// Reads the certificate for a key in the token, whose public key is `key_info`.
    ///
    /// # Errors
    /// If the file has no certificate for this key, or has a private key.
    pub fn read(name: &NamedKey, key_info: &[u8]) -> Result<Self, Problem> {
        let file = read_certificates_alone(&name.certificate, name.certificate_setting)?;
        let ours = select(&file.certificates, Some(key_info));
        let facts = ours.and_then(|der| Self::of(der, &name.certificate));
        facts.ok_or_else(|| not_for_key(name))
    }

    /// Returns the facts about a certificate that was read with its key. `path` is its file.
    pub fn of_pair(pair: &BootstrapCertificate, path: &Path) -> Option<Self> {
        Self::of(pair.certificate()?, path)
    }

    fn of(der: &CertificateDer, path: &Path) -> Option<Self> {
        let parsed = parse(der)?;
        Some(Self {
            subject: describe(parsed.subject()),
            issuer: describe(parsed.issuer()),
            not_before: to_system_time(parsed.validity().not_before.timestamp()),
            not_after: to_system_time(parsed.validity().not_after.timestamp()),
            usage_faults: usage::check_client_usage(path, &parsed),
        })
    }
}
