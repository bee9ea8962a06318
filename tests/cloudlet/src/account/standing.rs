//! Decides whether a certificate may connect.

use std::time::SystemTime;

use super::data::Account;
use super::records::{CaId, CertificateId, CertificateStatus, RegistrationConfig, RegistrationPlan};
use crate::x509::ParsedCertificate;

/// How AWS IoT treats a certificate that completed a handshake.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It is registered and ACTIVE.
    Active,
    /// It will be provisioned with a CA's template: it is unknown, or PENDING_ACTIVATION.
    ToProvision { ca: CaId, plan: RegistrationPlan },
    /// It is rejected. The client is not told why.
    TurnedAway(String),
}

impl Account {
    /// Looks up a certificate. Only certificates with a valid CA signature are ever registered, and the ID is a hash of the whole
    /// certificate, so the signature of a registered one need not be verified again.
    pub(crate) fn standing(&self, certificate: &ParsedCertificate, now: SystemTime) -> Standing {
        let turned_away = |reason: &str| Standing::TurnedAway(reason.to_owned());
        if !certificate.is_valid_at(now) {
            return turned_away("the certificate is outside its validity");
        }
        let registered = self.certificate(&CertificateId::of(certificate));
        let ca = match registered {
            Some(registered) => match registered.status {
                CertificateStatus::Active => return Standing::Active,
                CertificateStatus::PendingActivation => registered.ca.as_ref().and_then(|ca| self.ca(ca)),
                status => return Standing::TurnedAway(format!("the certificate is {status}")),
            },
            None => self.signer_of(certificate),
        };
        let Some(ca) = ca else {
            return turned_away("no registered CA signed the certificate");
        };
        // developer guide, deactivate-ca-cert: an inactive CA registers no new certificates.
        if !ca.active {
            return turned_away("the CA is INACTIVE");
        }
        if !ca.auto_registration {
            return turned_away("the CA's auto-registration is disabled");
        }
        let plan = match &ca.registration_config {
            None => return turned_away("the CA has no provisioning template"),
            Some(RegistrationConfig::Body { template, role_arn }) => RegistrationPlan {
                template: template.clone(),
                role_arn: role_arn.clone(),
            },
            Some(RegistrationConfig::Named(name)) => match self.jitp_template(name) {
                Ok(plan) => plan,
                Err(error) => return Standing::TurnedAway(error.to_string()),
            },
        };
        Standing::ToProvision {
            ca: ca.id.clone(),
            plan,
        }
    }
}
