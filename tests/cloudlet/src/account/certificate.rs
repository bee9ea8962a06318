//! Device certificates.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::records::{CaId, Certificate, CertificateId, CertificateStatus};
use super::refusal::{Refusal, RefusalKind};
use super::time::now;
use crate::Error;
use crate::x509::ParsedCertificate;

/// Quotas: policies attached to one certificate.
const MAX_POLICIES: usize = 10;

/// The device certificates of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Certificates {
    by_id: BTreeMap<CertificateId, Certificate>,
}

impl Certificates {
    /// Registers a certificate with a status, unless it is already registered.
    pub fn register(&mut self, id: CertificateId, ca: CaId, status: CertificateStatus) {
        self.add(id, None, Some(ca), status);
    }

    /// Registers a certificate as PENDING_ACTIVATION, the first step of JITP.
    pub(crate) fn register_pending(&mut self, certificate: &ParsedCertificate, ca: CaId) {
        let id = CertificateId::of(certificate);
        let status = CertificateStatus::PendingActivation;
        self.add(id, Some(certificate.pem()), Some(ca), status);
    }

    /// Registers a certificate that `ca` has signed; `None` if no registered CA has.
    pub(super) fn register_pem(
        &mut self,
        pem: &str,
        ca: Option<CaId>,
        status: CertificateStatus,
    ) -> Result<CertificateId, Error> {
        let id = CertificateId::of_pem(pem)?;
        if self.by_id.contains_key(&id) {
            let message = "The certificate is already provisioned or registered";
            return Err(Refusal::already_exists(message, "cert", id.as_str()).into());
        }
        self.add(id.clone(), Some(pem.to_owned()), ca, status);
        Ok(id)
    }

    fn add(&mut self, id: CertificateId, pem: Option<String>, ca: Option<CaId>, status: CertificateStatus) {
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
        self.by_id.entry(id).or_insert(certificate);
    }

    /// Returns all registered device certificates.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.by_id.values()
    }

    /// Returns a registered device certificate.
    pub fn get(&self, id: &CertificateId) -> Option<&Certificate> {
        self.by_id.get(id)
    }

    /// Returns a registered device certificate, or AWS's error.
    pub fn existing(&self, id: &CertificateId) -> Result<&Certificate, Error> {
        self.get(id).ok_or_else(|| not_found(id).into())
    }

    /// Sets a certificate's status. The status of a revoked certificate cannot be changed.
    pub fn set_status(&mut self, id: &CertificateId, status: CertificateStatus) -> Result<(), Error> {
        let certificate = self.get_mut(id)?;
        if certificate.status == CertificateStatus::Revoked && status != CertificateStatus::Revoked {
            let message = format!("certificate {id} is revoked, which is final");
            return Err(Refusal::new(RefusalKind::CertificateState, message).into());
        }
        certificate.status = status;
        certificate.modified = now();
        Ok(())
    }

    /// DeleteCertificate. The certificate must not be active or attached to a thing; nor to a policy, unless `force` is set.
    pub fn delete(&mut self, id: &CertificateId, force: bool) -> Result<(), Error> {
        let certificate = self.get_mut(id)?;
        if certificate.status == CertificateStatus::Active {
            let message = format!("Certificate must be deactivated (not ACTIVE) before deletion, id={id}");
            return Err(Refusal::new(RefusalKind::CertificateState, message).into());
        }
        let attached = match (certificate.things.is_empty(), certificate.policies.is_empty() || force) {
            (false, _) => "Things",
            (true, false) => "Policies",
            (true, true) => return self.forget(id),
        };
        let message = format!("{attached} must be detached before deletion, id={id}");
        Err(Refusal::new(RefusalKind::DeleteConflict, message).into())
    }

    /// Deletes a certificate with its attachments from the registry. Its things and policies stay.
    pub fn forget(&mut self, id: &CertificateId) -> Result<(), Error> {
        self.by_id.remove(id).map(|_| ()).ok_or_else(|| not_found(id).into())
    }

    /// Attaches a thing. The caller has checked that it exists.
    pub(super) fn attach_thing(&mut self, id: &CertificateId, thing: &str) -> Result<(), Error> {
        self.get_mut(id)?.things.insert(thing.to_owned());
        Ok(())
    }

    /// DetachThingPrincipal.
    pub fn detach_thing(&mut self, id: &CertificateId, thing: &str) -> Result<(), Error> {
        self.get_mut(id)?.things.remove(thing);
        Ok(())
    }

    /// Attaches a policy. The caller has checked that it exists.
    pub(super) fn attach_policy(&mut self, id: &CertificateId, policy: &str) -> Result<(), Error> {
        let attached = &mut self.get_mut(id)?.policies;
        if attached.len() >= MAX_POLICIES && !attached.contains(policy) {
            let message = format!("A certificate has at most {MAX_POLICIES} policies");
            return Err(Refusal::new(RefusalKind::LimitExceeded, message).into());
        }
        attached.insert(policy.to_owned());
        Ok(())
    }

    /// Detaches a policy.
    pub(super) fn detach_policy(&mut self, id: &CertificateId, policy: &str) -> Result<(), Error> {
        self.get_mut(id)?.policies.remove(policy);
        Ok(())
    }

    fn get_mut(&mut self, id: &CertificateId) -> Result<&mut Certificate, Error> {
        self.by_id.get_mut(id).ok_or_else(|| not_found(id).into())
    }
}

fn not_found(id: &CertificateId) -> Refusal {
    Refusal::not_found(format!("Certificate {id} does not exist"))
}
