//! CA certificates, whose signatures make certificates devices of the account.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::records::{CaCertificate, CaId, CertificateMode, RegistrationConfig};
use super::refusal::{Refusal, RefusalKind};
use super::time::now;
use crate::Error;
use crate::provisioning::Template;
use crate::x509::ParsedCertificate;

/// The request of RegisterCACertificate.
#[derive(Debug)]
pub struct NewCa<'a> {
    /// The CA's certificate.
    pub pem: &'a str,
    /// A certificate of this CA with the account's registration code as common name; not needed for SNI_ONLY.
    pub verification: Option<&'a str>,
    /// `certificateMode`.
    pub mode: CertificateMode,
    /// `setAsActive`.
    pub active: bool,
    /// `allowAutoRegistration`.
    pub auto_registration: bool,
    /// `registrationConfig`.
    pub registration_config: Option<RegistrationConfig>,
}

/// AWS accepts at most ten CAs with the same subject in an account and Region (boto3, register_ca_certificate).
const MAX_CAS_WITH_ONE_SUBJECT: usize = 10;

/// The CAs of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaCertificates {
    by_id: BTreeMap<CaId, CaCertificate>,
}

impl CaCertificates {
    /// Registers a CA, active and with auto-registration, in mode SNI_ONLY (no verification certificate). Its template needs no role. If
    /// the CA is already registered, only its template is replaced.
    pub fn put(&mut self, pem: &str, template: Template) -> Result<CaId, Error> {
        let config = RegistrationConfig::Body {
            template,
            role_arn: None,
        };
        let id = CaId(ParsedCertificate::from_pem(pem.as_bytes())?.fingerprint());
        if self.by_id.contains_key(&id) {
            self.update(&id, |ca| ca.registration_config = Some(config))?;
            return Ok(id);
        }
        self.register(
            NewCa {
                pem,
                verification: None,
                mode: CertificateMode::SniOnly,
                active: true,
                auto_registration: true,
                registration_config: Some(config),
            },
            "",
        )
    }

    /// RegisterCACertificate. `registration_code` is the account's.
    pub(super) fn register(&mut self, new: NewCa<'_>, registration_code: &str) -> Result<CaId, Error> {
        let parsed = ParsedCertificate::from_pem(new.pem.as_bytes())?;
        if !parsed.is_ca {
            return Err(Error::Certificate("basic constraints do not say CA:TRUE".into()));
        }
        if !parsed.is_valid_at(SystemTime::now()) {
            return Err(Error::Certificate("the CA is outside its validity".into()));
        }
        match (new.mode, new.verification) {
            (CertificateMode::Default, Some(verification)) => {
                verify_possession(&parsed, verification, registration_code)?
            }
            (CertificateMode::Default, None) => {
                return Err(
                    Refusal::invalid("Verification certificate is required in certificate mode DEFAULT").into(),
                );
            }
            (CertificateMode::SniOnly, None) => {}
            (CertificateMode::SniOnly, Some(_)) => {
                return Err(
                    Refusal::invalid("Verification certificate must be empty in certificate mode SNI_ONLY").into(),
                );
            }
        }
        let id = CaId(parsed.fingerprint());
        if self.by_id.contains_key(&id) {
            let message = "The CA certificate is already registered";
            return Err(Refusal::already_exists(message, "cacert", id.as_str()).into());
        }
        let same_subject = self
            .parsed_cas()
            .filter(|(_, known)| known.has_subject_of(&parsed))
            .count();
        if same_subject >= MAX_CAS_WITH_ONE_SUBJECT {
            let message = "ten CAs with this subject are registered already";
            return Err(Refusal::new(RefusalKind::LimitExceeded, message).into());
        }
        let ca = CaCertificate {
            id: id.clone(),
            pem: new.pem.to_owned(),
            active: new.active,
            auto_registration: new.auto_registration,
            mode: new.mode,
            registration_config: new.registration_config,
            created: now(),
            modified: now(),
            version: 1,
        };
        self.by_id.insert(id.clone(), ca);
        Ok(id)
    }

    /// Returns all registered CAs.
    pub fn iter(&self) -> impl Iterator<Item = &CaCertificate> {
        self.by_id.values()
    }

    /// Returns a registered CA.
    pub fn get(&self, id: &CaId) -> Option<&CaCertificate> {
        self.by_id.get(id)
    }

    /// Returns the registered CA that a caller has named.
    pub fn named(&self, id: &str) -> Result<&CaCertificate, Error> {
        self.by_id.get(&CaId(id.to_owned())).ok_or_else(|| not_found(id).into())
    }

    /// UpdateCACertificate.
    pub fn update(&mut self, id: &CaId, update: impl FnOnce(&mut CaCertificate)) -> Result<(), Error> {
        let ca = self.by_id.get_mut(id).ok_or_else(|| not_found(id.as_str()))?;
        update(ca);
        ca.modified = now();
        ca.version += 1;
        Ok(())
    }

    /// Sets a CA ACTIVE or INACTIVE.
    pub fn set_active(&mut self, id: &CaId, active: bool) -> Result<(), Error> {
        self.update(id, |ca| ca.active = active)
    }

    /// Enables or disables auto-registration for a CA.
    pub fn set_auto_registration(&mut self, id: &CaId, enabled: bool) -> Result<(), Error> {
        self.update(id, |ca| ca.auto_registration = enabled)
    }

    /// DeleteCACertificate. The certificates that the CA has signed stay registered.
    pub fn delete(&mut self, id: &CaId) -> Result<(), Error> {
        if self.get(id).ok_or_else(|| not_found(id.as_str()))?.active {
            let message = "The CA certificate must be INACTIVE before it is deleted";
            return Err(Refusal::new(RefusalKind::CertificateState, message).into());
        }
        self.by_id.remove(id);
        Ok(())
    }

    /// Returns the registered CA whose key has signed this certificate.
    pub(crate) fn signer_of(&self, certificate: &ParsedCertificate) -> Option<&CaCertificate> {
        self.parsed_cas()
            .find(|(_, ca)| certificate.is_signed_by(ca))
            .map(|(ca, _)| ca)
    }

    fn parsed_cas(&self) -> impl Iterator<Item = (&CaCertificate, ParsedCertificate)> {
        self.by_id
            .values()
            .filter_map(|ca| Some((ca, ParsedCertificate::from_pem(ca.pem.as_bytes()).ok()?)))
    }
}

/// Verifies that the account holds the CA's key: the CA has signed a certificate for the account's registration code (developer guide,
/// register-CA-cert).
fn verify_possession(ca: &ParsedCertificate, verification: &str, registration_code: &str) -> Result<(), Error> {
    let refuse = |message: &str| Err(Refusal::new(RefusalKind::RegistrationCodeValidation, message).into());
    let verification = ParsedCertificate::from_pem(verification.as_bytes())?;
    let mut names = verification.template_attributes();
    let code = names.find(|(name, _)| *name == "CommonName").map(|(_, value)| value);
    let expected = registration_code.as_bytes();
    if !code.is_some_and(|code| bool::from(code.as_bytes().ct_eq(expected))) {
        return refuse("The verification certificate's common name is not the account's registration code");
    }
    if !verification.is_signed_by(ca) {
        return refuse("The verification certificate is not signed by the CA certificate");
    }
    if !verification.is_valid_at(SystemTime::now()) {
        return Err(Error::Certificate(
            "the verification certificate is outside its validity".into(),
        ));
    }
    Ok(())
}

fn not_found(id: &str) -> Refusal {
    Refusal::not_found(format!("CA certificate {id} does not exist"))
}
