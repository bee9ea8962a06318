//! Executes a plan.

use std::collections::BTreeMap;

use super::plan::{CertificateSource, Plan, PlannedCertificate, PlannedPolicy, PlannedThing};
use crate::Error;
use crate::account::{Account, CertificateId, CertificateStatus, Thing};
use crate::events::JitpStep;
use crate::policy::Policy;

/// The steps of a registration, and the resources that they created or changed.
pub(crate) struct Registered {
    pub(crate) steps: Vec<JitpStep>,
    /// The ARNs of the resources by logical name.
    pub(crate) arns: BTreeMap<String, String>,
    pub(crate) certificate: CertificateId,
}

/// Executes a plan in the documented order (developer guide, jit-provisioning): thing, policy, policy to certificate, certificate to thing,
/// certificate status.
pub(crate) fn register(account: &mut Account, plan: &Plan) -> Result<Registered, Error> {
    let (logical, planned) = &plan.certificate;
    let id = find_certificate(account, planned)?;
    let mut steps = Vec::new();
    let mut arns = BTreeMap::from([(logical.clone(), account.iot_arn("cert", id.as_str()))]);
    if let Some((logical, planned)) = &plan.thing {
        let thing = overridden(account, planned)?;
        account.registry.put_thing(thing)?;
        arns.insert(logical.clone(), account.iot_arn("thing", &planned.name));
        steps.push(JitpStep::ThingCreated {
            thing: planned.name.clone(),
        });
    }
    for (logical, policy) in &plan.policies {
        let policy = match policy {
            PlannedPolicy::Named(name) => name.clone(),
            PlannedPolicy::Document(document) => {
                let policy = Policy::named_by_document(document)?;
                let name = policy.name().to_owned();
                if account.policies.existing(&name).is_err() {
                    account.policies.create(policy)?;
                    steps.push(JitpStep::PolicyCreated { policy: name.clone() });
                }
                name
            }
        };
        account.attach_policy(&id, &policy)?;
        arns.insert(logical.clone(), account.iot_arn("policy", &policy));
        steps.push(JitpStep::PolicyAttached { policy });
    }
    if let Some((_, thing)) = &plan.thing {
        account.attach_thing(&id, &thing.name)?;
        steps.push(JitpStep::ThingAttached {
            thing: thing.name.clone(),
        });
    }
    let status = status(account, &id, planned)?;
    account.certificates.set_status(&id, status)?;
    steps.push(JitpStep::StatusSet { status });
    Ok(Registered {
        steps,
        arns,
        certificate: id,
    })
}

fn find_certificate(account: &mut Account, planned: &PlannedCertificate) -> Result<CertificateId, Error> {
    match &planned.source {
        CertificateSource::Id(id) => Ok(account.certificate_named(id)?.id.clone()),
        CertificateSource::Pem(pem) => {
            let id = CertificateId::of_pem(pem)?;
            match account.certificates.get(&id) {
                Some(_) => Ok(id),
                None => account.register_certificate(pem, CertificateStatus::PendingActivation, true),
            }
        }
    }
}

/// Returns the new status of the certificate. One that has just been registered has no status of its own yet.
fn status(account: &Account, id: &CertificateId, planned: &PlannedCertificate) -> Result<CertificateStatus, Error> {
    match account.certificates.get(id).map(|certificate| certificate.status) {
        None | Some(CertificateStatus::PendingActivation) => Ok(planned.status),
        Some(known) => planned
            .overrides
            .status
            .choose("the certificate's status", &known, &planned.status),
    }
}

fn overridden(account: &Account, planned: &PlannedThing) -> Result<Thing, Error> {
    let mut thing = Thing::new(planned.name.clone());
    thing.billing_group.clone_from(&planned.billing_group);
    match account.registry.thing(&planned.name) {
        None => {
            thing.attributes.clone_from(&planned.attributes);
            thing.thing_type.clone_from(&planned.thing_type);
            thing.groups.clone_from(&planned.groups);
        }
        Some(known) => {
            let PlannedThing { overrides, .. } = planned;
            let attributes = (&known.attributes, &planned.attributes);
            thing.attributes = overrides
                .attribute_payload
                .apply("AttributePayload", attributes.0, attributes.1)?;
            thing.thing_type =
                overrides
                    .thing_type_name
                    .choose("ThingTypeName", &known.thing_type, &planned.thing_type)?;
            thing.groups = overrides
                .thing_groups
                .apply("ThingGroups", &known.groups, &planned.groups)?;
        }
    }
    Ok(thing)
}
