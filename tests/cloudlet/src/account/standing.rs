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
    Rejected(String),
}

/// Looks up a certificate. Only certificates with a valid CA signature are ever registered, and the ID is a hash of the whole
/// certificate, so the signature of a registered one need not be verified again.
pub(crate) fn standing(account: &Account, certificate: &ParsedCertificate, now: SystemTime) -> Standing {
    let rejected = |reason: &str| Standing::Rejected(reason.to_owned());
    if !certificate.is_valid_at(now) {
        return rejected("the certificate is outside its validity");
    }
    let registered = account.certificates.get(&CertificateId::of(certificate));
    let ca = match registered {
        Some(registered) => match registered.status {
            CertificateStatus::Active => return Standing::Active,
            CertificateStatus::PendingActivation => registered.ca.as_ref().and_then(|ca| account.cas.get(ca)),
            status => return Standing::Rejected(format!("the certificate is {status}")),
        },
        None => account.cas.signer_of(certificate),
    };
    let Some(ca) = ca else {
        return rejected("no registered CA signed the certificate");
    };
    // developer guide, deactivate-ca-cert: an inactive CA registers no new certificates.
    if !ca.active {
        return rejected("the CA is INACTIVE");
    }
    if !ca.auto_registration {
        return rejected("the CA's auto-registration is disabled");
    }
    let plan = match &ca.registration_config {
        None => return rejected("the CA has no provisioning template"),
        Some(RegistrationConfig::Body { template, role_arn }) => RegistrationPlan {
            template: template.clone(),
            role_arn: role_arn.clone(),
        },
        Some(RegistrationConfig::Named(name)) => match account.templates.jitp_plan(name) {
            Ok(plan) => plan,
            Err(error) => return Standing::Rejected(error.to_string()),
        },
    };
    Standing::ToProvision {
        ca: ca.id.clone(),
        plan,
    }
}
