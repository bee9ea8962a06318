//! CA certificates registered for just-in-time provisioning.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Account, Refusal};
use crate::Error;
use crate::jitp::Template;
use crate::x509::ParsedCertificate;

/// Names a registered CA: lowercase hexadecimal SHA-256 of its DER.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaId(String);

impl fmt::Display for CaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
    /// The provisioning template of its `registrationConfig`.
    pub template: Option<Template>,
}

/// AWS takes at most ten CAs with one subject in an account and Region (boto3, register_ca_certificate).
const MAX_CAS_WITH_ONE_SUBJECT: usize = 10;

impl Account {
    /// Registers a CA, active and with auto-registration, in mode SNI_ONLY (no verification certificate).
    pub fn register_ca(&mut self, pem: &str, template: Option<Template>) -> Result<CaId, Error> {
        let parsed = ParsedCertificate::from_pem(pem.as_bytes())?;
        if !parsed.is_ca {
            return Err(Error::Certificate("basic constraints do not say CA:TRUE".into()));
        }
        if !parsed.is_valid_at(SystemTime::now()) {
            return Err(Error::Certificate("the CA is outside its validity".into()));
        }
        let same_subject = self
            .parsed_cas()
            .filter(|(_, known)| known.has_subject_of(&parsed))
            .count();
        if same_subject >= MAX_CAS_WITH_ONE_SUBJECT {
            return Err(Refusal::invalid("ten CAs with this subject are registered already").into());
        }
        let id = CaId(parsed.fingerprint());
        let ca = CaCertificate {
            id: id.clone(),
            pem: pem.to_owned(),
            active: true,
            auto_registration: true,
            template,
        };
        self.cas.insert(id.clone(), ca);
        Ok(id)
    }

    /// Every registered CA.
    pub fn cas(&self) -> impl Iterator<Item = &CaCertificate> {
        self.cas.values()
    }

    /// One registered CA.
    pub fn ca(&self, id: &CaId) -> Option<&CaCertificate> {
        self.cas.get(id)
    }

    /// Sets a CA ACTIVE or INACTIVE.
    pub fn set_ca_active(&mut self, id: &CaId, active: bool) -> Result<(), Error> {
        self.ca_mut(id).map(|ca| ca.active = active)
    }

    /// Enables or disables a CA's auto-registration.
    pub fn set_auto_registration(&mut self, id: &CaId, enabled: bool) -> Result<(), Error> {
        self.ca_mut(id).map(|ca| ca.auto_registration = enabled)
    }

    /// The registered CA that really signed this certificate.
    pub(crate) fn signer_of(&self, certificate: &ParsedCertificate) -> Option<&CaCertificate> {
        self.parsed_cas()
            .find(|(_, ca)| certificate.is_signed_by(ca))
            .map(|(ca, _)| ca)
    }

    fn parsed_cas(&self) -> impl Iterator<Item = (&CaCertificate, ParsedCertificate)> {
        self.cas
            .values()
            .filter_map(|ca| Some((ca, ParsedCertificate::from_pem(ca.pem.as_bytes()).ok()?)))
    }

    fn ca_mut(&mut self, id: &CaId) -> Result<&mut CaCertificate, Error> {
        self.cas
            .get_mut(id)
            .ok_or_else(|| Refusal::not_found(format!("no CA {id}")).into())
    }
}
