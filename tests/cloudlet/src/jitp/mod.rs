//! Just-in-time provisioning: a certificate shown for the first time becomes a thing with a policy.

mod template;

use std::collections::BTreeMap;

pub use template::Template;
use template::{Plan, PlannedPolicy};

use crate::Error;
use crate::account::{Account, CertificateId, CertificateStatus, Refusal, SharedAccount, Thing};
use crate::events::{Event, Events, JitpStep};
use crate::policy::Policy;
use crate::x509::ParsedCertificate;

/// The parameters JITP passes to a template: seven subject attributes and the certificate's ID. Those that the
/// subject does not have are missing, which fails a template that declares them (developer guide, jit-provisioning).
fn parameters(certificate: &ParsedCertificate) -> BTreeMap<String, String> {
    certificate
        .subject_attributes()
        .chain([("Id", certificate.fingerprint().as_str())])
        .map(|(name, value)| (format!("AWS::IoT::Certificate::{name}"), value.to_owned()))
        .fold(BTreeMap::new(), |mut parameters, (name, value)| {
            parameters.entry(name).or_insert(value);
            parameters
        })
}

/// Provisions a certificate that is PENDING_ACTIVATION, in the documented order: thing, policy, policy to certificate,
/// certificate to thing, certificate status. Where a step fails the certificate stays pending, and an event says why.
pub(crate) fn provision(
    account: &SharedAccount,
    events: &Events,
    template: &Template,
    id: &CertificateId,
    certificate: &ParsedCertificate,
) {
    // Told once it is so for everyone: an observer may look at the account.
    let mut steps = Vec::new();
    let result = template
        .plan(&parameters(certificate))
        .and_then(|plan| account.change(|account| carry_out(account, id, &plan, &mut steps)));
    if let Err(error) = result {
        steps.push(JitpStep::Failed {
            reason: error.to_string(),
        });
    }
    for step in steps {
        events.push(Event::Jitp {
            certificate: id.clone(),
            step,
        });
    }
}

fn carry_out(account: &mut Account, id: &CertificateId, plan: &Plan, steps: &mut Vec<JitpStep>) -> Result<(), Error> {
    if account
        .certificate(id)
        .is_none_or(|certificate| certificate.status != CertificateStatus::PendingActivation)
    {
        return Err(Refusal::invalid("the certificate is no longer PENDING_ACTIVATION").into());
    }
    if let Some(thing) = &plan.thing {
        let thing = Thing {
            name: thing.name.clone(),
            attributes: thing.attributes.clone(),
            thing_type: thing.thing_type.clone(),
        };
        let name = thing.name.clone();
        account.put_thing(thing)?;
        steps.push(JitpStep::ThingCreated { thing: name });
    }
    let policy = match &plan.policy {
        Some(PlannedPolicy::Document(document)) => {
            let policy = Policy::named_by_document(document)?;
            let name = policy.name().to_owned();
            account.put_policy(policy);
            steps.push(JitpStep::PolicyCreated { policy: name.clone() });
            Some(name)
        }
        Some(PlannedPolicy::Named(name)) => Some(name.clone()),
        None => None,
    };
    if let Some(policy) = policy {
        account.attach_policy(id, &policy)?;
        steps.push(JitpStep::PolicyAttached { policy });
    }
    if let Some(thing) = &plan.thing {
        account.attach_thing(id, &thing.name)?;
        steps.push(JitpStep::ThingAttached {
            thing: thing.name.clone(),
        });
    }
    account.set_certificate_status(id, plan.status)?;
    steps.push(JitpStep::StatusSet { status: plan.status });
    Ok(())
}
