//! Device certificates.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Account, CaId, Refusal};
use crate::Error;
use crate::policy::Policy;
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
    /// Where it stands.
    pub status: CertificateStatus,
    /// The registered CA that signed it.
    pub ca: CaId,
    /// The names of the policies attached to it.
    pub policies: BTreeSet<String>,
    /// The names of the things it is attached to.
    pub things: BTreeSet<String>,
}

impl Account {
    /// Registers a certificate with a status, as JITP's first step and RegisterCertificate do.
    pub fn register_certificate(&mut self, id: CertificateId, ca: CaId, status: CertificateStatus) {
        let certificate = Certificate {
            id: id.clone(),
            status,
            ca,
            policies: BTreeSet::new(),
            things: BTreeSet::new(),
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

    /// Sets a certificate's status; a revoked one stays revoked.
    pub fn set_certificate_status(&mut self, id: &CertificateId, status: CertificateStatus) -> Result<(), Error> {
        let certificate = self.certificate_mut(id)?;
        if certificate.status == CertificateStatus::Revoked && status != CertificateStatus::Revoked {
            return Err(Refusal::invalid(format!("certificate {id} is revoked, which is final")).into());
        }
        certificate.status = status;
        Ok(())
    }

    /// Deletes a certificate from the registry, and with it what was attached; its things and policies stay.
    pub fn forget_certificate(&mut self, id: &CertificateId) -> Result<(), Error> {
        self.certificates
            .remove(id)
            .map(|_| ())
            .ok_or_else(|| Refusal::not_found(format!("no certificate {id}")).into())
    }

    /// AttachPolicy.
    pub fn attach_policy(&mut self, id: &CertificateId, policy: &str) -> Result<(), Error> {
        if !self.policies.contains_key(policy) {
            return Err(Refusal::not_found(format!("no policy {policy}")).into());
        }
        self.certificate_mut(id)?.policies.insert(policy.to_owned());
        Ok(())
    }

    /// AttachThingPrincipal.
    pub fn attach_thing(&mut self, id: &CertificateId, thing: &str) -> Result<(), Error> {
        if !self.things.contains_key(thing) {
            return Err(Refusal::not_found(format!("no thing {thing}")).into());
        }
        self.certificate_mut(id)?.things.insert(thing.to_owned());
        Ok(())
    }

    /// DetachThingPrincipal.
    pub fn detach_thing(&mut self, id: &CertificateId, thing: &str) -> Result<(), Error> {
        self.certificate_mut(id)?.things.remove(thing);
        Ok(())
    }

    /// The policies attached to a certificate.
    pub fn policies_of(&self, id: &CertificateId) -> Vec<&Policy> {
        let names = self.certificates.get(id).map(|certificate| &certificate.policies);
        names
            .into_iter()
            .flatten()
            .filter_map(|name| self.policies.get(name))
            .collect()
    }

    /// CreatePolicy, or a new default version of a policy that exists.
    pub fn put_policy(&mut self, policy: Policy) {
        self.policies.insert(policy.name().to_owned(), policy);
    }

    /// Every policy.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    fn certificate_mut(&mut self, id: &CertificateId) -> Result<&mut Certificate, Error> {
        self.certificates
            .get_mut(id)
            .ok_or_else(|| Refusal::not_found(format!("no certificate {id}")).into())
    }
}
