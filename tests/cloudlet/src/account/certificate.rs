//! Device certificates.

use std::collections::BTreeSet;

use super::data::Account;
use super::records::{CaId, Certificate, CertificateId, CertificateStatus};
use super::refusal::{Refusal, RefusalKind};
use super::time::now;
use crate::Error;
use crate::x509::ParsedCertificate;

impl Account {
    /// Registers a certificate with a status, unless it is already registered.
    pub fn register_certificate(&mut self, id: CertificateId, ca: CaId, status: CertificateStatus) {
        self.add_certificate(id, None, Some(ca), status);
    }

    /// Registers a certificate as PENDING_ACTIVATION, the first step of JITP.
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

    /// Returns all registered device certificates.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.values()
    }

    /// Returns a registered device certificate.
    pub fn certificate(&self, id: &CertificateId) -> Option<&Certificate> {
        self.certificates.get(id)
    }

    /// Returns a registered device certificate by its ID, or by its ARN as a principal or a target.
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

    /// Sets a certificate's status. The status of a revoked certificate cannot be changed.
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

    /// DeleteCertificate. The certificate must not be active or attached to a thing; nor to a policy, unless `force` is set.
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

    /// Deletes a certificate with its attachments from the registry. Its things and policies stay.
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
