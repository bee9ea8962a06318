//! Device certificates.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Account, CaId, EpochSeconds, Refusal, RefusalKind, now};
use crate::Error;
use crate::x509::ParsedCertificate;

/// Names a device certificate: lowercase hexadecimal SHA-256 of its DER.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CertificateId(String);

impl CertificateId {
    /// The identifier a PEM certificate has, registered or not.
    pub fn of_pem(pem: &str) -> Result<Self, Error> {
        ParsedCertificate::from_pem(pem.as_bytes()).map(|parsed| Self::of(&parsed))
    }

    pub(crate) fn of(certificate: &ParsedCertificate) -> Self {
        Self(certificate.fingerprint())
    }

    /// The 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateStatus {
    /// Registered by JITP or JITR, which has not finished.
    PendingActivation,
    /// May connect.
    Active,
    /// May not connect; can be activated again.
    Inactive,
    /// May not connect, for ever (developer guide, activate-or-deactivate-device-cert).
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

/// A registered device certificate and what is attached to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certificate {
    /// Its name.
    pub id: CertificateId,
    /// The certificate; none if only its name was registered, by a test.
    pub pem: Option<String>,
    /// Where it stands.
    pub status: CertificateStatus,
    /// The registered CA that signed it; none if it was registered without one.
    pub ca: Option<CaId>,
    /// The names of the policies attached to it.
    pub policies: BTreeSet<String>,
    /// The names of the things it is attached to.
    pub things: BTreeSet<String>,
    /// When it was registered.
    pub created: EpochSeconds,
    /// When its status was last set.
    pub modified: EpochSeconds,
}

impl Account {
    /// Registers a certificate with a status, if it is not registered.
    pub fn register_certificate(&mut self, id: CertificateId, ca: CaId, status: CertificateStatus) {
        self.add_certificate(id, None, Some(ca), status);
    }

    /// JITP's first step.
    pub(crate) fn register_pending(&mut self, certificate: &ParsedCertificate, ca: CaId) {
        let id = CertificateId::of(certificate);
        let status = CertificateStatus::PendingActivation;
        self.add_certificate(id, Some(certificate.pem()), Some(ca), status);
    }

    /// RegisterCertificate, and RegisterCertificateWithoutCA if `needs_ca` is not set.
    pub fn register_certificate_pem(
        &mut self,
        pem: &str,
        status: CertificateStatus,
        needs_ca: bool,
    ) -> Result<CertificateId, Error> {
        let parsed = ParsedCertificate::from_pem(pem.as_bytes())?;
        let id = CertificateId::of(&parsed);
        if self.certificates.contains_key(&id) {
            let arn = self.iot_arn("cert", id.as_str());
            return Err(Refusal::already_exists("The certificate is already provisioned or registered", arn).into());
        }
        let ca = self.signer_of(&parsed).map(|ca| ca.id.clone());
        if needs_ca && ca.is_none() {
            return Err(Error::Certificate("no registered CA signed it".into()));
        }
        self.add_certificate(id.clone(), Some(pem.to_owned()), ca, status);
        Ok(id)
    }

    fn add_certificate(&mut self, id: CertificateId, pem: Option<String>, ca: Option<CaId>, status: CertificateStatus) {
        let certificate = Certificate {
            id: id.clone(),
            pem,
            status,
            ca,
            policies: BTreeSet::new(),
            things: BTreeSet::new(),
            created: now(),
            modified: now(),
        };
        self.certificates.entry(id).or_insert(certificate);
    }

    /// Every registered device certificate.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.values()
    }

    /// One registered device certificate.
    pub fn certificate(&self, id: &CertificateId) -> Option<&Certificate> {
        self.certificates.get(id)
    }

    /// One registered device certificate by what a caller names it: its ID, or its ARN as a principal or a target.
    pub fn certificate_named(&self, name: &str) -> Result<&Certificate, Error> {
        let id = match name.strip_prefix(&self.iot_arn("cert", "")) {
            Some(id) => id,
            None if name.starts_with("arn:") => {
                return Err(Refusal::invalid(format!("{name} is not the ARN of a certificate of this account")).into());
            }
            None => name,
        };
        let id = CertificateId(id.to_owned());
        self.certificate(&id).ok_or_else(|| not_found(&id).into())
    }

    /// Sets a certificate's status; a revoked one stays revoked.
    pub fn set_certificate_status(&mut self, id: &CertificateId, status: CertificateStatus) -> Result<(), Error> {
        let certificate = self.certificate_mut(id)?;
        if certificate.status == CertificateStatus::Revoked && status != CertificateStatus::Revoked {
            let message = format!("certificate {id} is revoked, which is final");
            return Err(Refusal::new(RefusalKind::CertificateState, message).into());
        }
        certificate.status = status;
        certificate.modified = now();
        Ok(())
    }

    /// DeleteCertificate: neither active nor attached to a thing; nor to a policy, unless `force` is set.
    pub fn delete_certificate(&mut self, id: &CertificateId, force: bool) -> Result<(), Error> {
        let certificate = self.certificate_mut(id)?;
        if certificate.status == CertificateStatus::Active {
            let message = format!("Certificate must be deactivated (not ACTIVE) before deletion, id={id}");
            return Err(Refusal::new(RefusalKind::CertificateState, message).into());
        }
        let attached = match (certificate.things.is_empty(), certificate.policies.is_empty() || force) {
            (false, _) => "Things",
            (true, false) => "Policies",
            (true, true) => return self.forget_certificate(id),
        };
        let message = format!("{attached} must be detached before deletion, id={id}");
        Err(Refusal::new(RefusalKind::DeleteConflict, message).into())
    }

    /// Deletes a certificate from the registry, and with it what was attached; its things and policies stay.
    pub fn forget_certificate(&mut self, id: &CertificateId) -> Result<(), Error> {
        self.certificates
            .remove(id)
            .map(|_| ())
            .ok_or_else(|| not_found(id).into())
    }

    /// AttachThingPrincipal.
    pub fn attach_thing(&mut self, id: &CertificateId, thing: &str) -> Result<(), Error> {
        self.existing_thing(thing)?;
        self.certificate_mut(id)?.things.insert(thing.to_owned());
        Ok(())
    }

    /// DetachThingPrincipal.
    pub fn detach_thing(&mut self, id: &CertificateId, thing: &str) -> Result<(), Error> {
        self.certificate_mut(id)?.things.remove(thing);
        Ok(())
    }

    pub(super) fn certificate_mut(&mut self, id: &CertificateId) -> Result<&mut Certificate, Error> {
        self.certificates.get_mut(id).ok_or_else(|| not_found(id).into())
    }
}

fn not_found(id: &CertificateId) -> Refusal {
    Refusal::not_found(format!("Certificate {id} does not exist"))
}
