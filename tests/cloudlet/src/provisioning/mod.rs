//! Provisioning: creates a thing and a policy for a certificate from a template, when a device connects for the first time (just-in-time
//! provisioning) or RegisterThing is called.

mod expression;
mod overrides;
mod plan;
mod registration;
mod template;

use std::collections::BTreeMap;

pub(crate) use plan::Plan;
pub use template::Template;

use crate::Error;
use crate::account::{AWS_IOT, Account, CertificateId, CertificateStatus, Refusal, RegistrationPlan, SharedAccount};
use crate::events::{Event, Events, JitpStep};
use crate::x509::ParsedCertificate;
pub(crate) use registration::register;

/// Returns the parameters that JITP passes to a template: seven subject attributes and the certificate's ID. Attributes that the subject
/// lacks are missing, so a template that declares them fails (developer guide, jit-provisioning).
fn parameters(certificate: &ParsedCertificate) -> BTreeMap<String, String> {
    certificate
        .template_attributes()
        .chain([("Id", certificate.fingerprint().as_str())])
        .map(|(name, value)| (format!("AWS::IoT::Certificate::{name}"), value.to_owned()))
        .fold(BTreeMap::new(), |mut parameters, (name, value)| {
            parameters.entry(name).or_insert(value);
            parameters
        })
}

/// Provisions a certificate that is PENDING_ACTIVATION. If a step fails, the certificate stays pending, and an event contains the reason,
/// as CloudTrail would.
pub(crate) fn provision(
    account: &SharedAccount,
    events: &Events,
    plan: &RegistrationPlan,
    id: &CertificateId,
    certificate: &ParsedCertificate,
) {
    let result = account.change(|account| {
        check_role(account, plan.role_arn.as_deref())?;
        let known = account.certificates.get(id);
        if known.is_none_or(|known| known.status != CertificateStatus::PendingActivation) {
            return Err(Refusal::invalid("the certificate is no longer PENDING_ACTIVATION").into());
        }
        let plan = Plan::from_template(&plan.template, &parameters(certificate))?;
        register(account, &plan)
    });
    // Reported once the change is visible to all, because an observer may read the account.
    let steps = result.map_or_else(
        |error| {
            let reason = error.to_string();
            vec![JitpStep::Failed { reason }]
        },
        |registered| registered.steps,
    );
    for step in steps {
        events.push(Event::Jitp {
            certificate: id.clone(),
            step,
        });
    }
}

/// Returns whether AWS IoT may register things with this role (developer guide, jit-provisioning).
pub(crate) fn check_role(account: &Account, role_arn: Option<&str>) -> Result<(), Error> {
    let Some(arn) = role_arn else {
        return Ok(());
    };
    let refuse = |what: &str| Err(Refusal::invalid(format!("role {arn} {what}")).into());
    match account.roles.get(arn) {
        None => refuse("does not exist"),
        Some(role) if !role.trust_policy.trusts(AWS_IOT) => refuse("does not trust iot.amazonaws.com"),
        Some(role) if !role.may_provision() => refuse("has not the policy AWSIoTThingsRegistration"),
        Some(_) => Ok(()),
    }
}
