//! A template with its parameters filled in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::expression::{Expression, Scope};
use super::overrides::{CertificateOverrides, ThingOverrides};
use super::template::Template;
use crate::Error;
use crate::account::CertificateStatus;

/// The resources that must exist in the end, each with its logical name.
pub(crate) struct Plan {
    pub(super) thing: Option<(String, PlannedThing)>,
    pub(super) policies: Vec<(String, PlannedPolicy)>,
    pub(super) certificate: (String, PlannedCertificate),
    /// The configuration that fleet provisioning sends to the device.
    pub(crate) device_configuration: Value,
}

pub(super) struct PlannedThing {
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) thing_type: Option<String>,
    pub(super) groups: BTreeSet<String>,
    pub(super) billing_group: Option<String>,
    pub(super) overrides: ThingOverrides,
}

pub(super) enum PlannedPolicy {
    Named(String),
    Document(String),
}

pub(super) struct PlannedCertificate {
    pub(super) source: CertificateSource,
    pub(super) status: CertificateStatus,
    pub(super) overrides: CertificateOverrides,
}

pub(super) enum CertificateSource {
    /// It is registered already.
    Id(String),
    /// It is registered now, unless it is registered already.
    Pem(String),
}

impl Plan {
    /// Returns the thing that the template creates.
    pub(crate) fn thing_name(&self) -> Option<&str> {
        self.thing.as_ref().map(|(_, thing)| thing.name.as_str())
    }

    /// Replaces a template's parameters by their values. Every declared parameter must be given or have a default.
    pub(crate) fn from_template(template: &Template, given: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        for (name, parameter) in &template.parameters {
            let value = given.get(name).or(parameter.default.as_ref());
            let value = value.ok_or_else(|| Error::Template(format!("no value for parameter {name}")))?;
            values.insert(name.as_str(), value.as_str());
        }
        let scope = Scope {
            values,
            mappings: &template.mappings,
        };
        let evaluate = |expression: &Option<Expression>| match expression {
            Some(expression) => expression.evaluate(&scope).map(Some),
            None => Ok(None),
        };

        let mut thing = None;
        for (logical, (properties, overrides)) in &template.things {
            let attributes = properties.attribute_payload.iter();
            let attributes = attributes.map(|(name, value)| Ok((name.clone(), value.evaluate(&scope)?)));
            let groups = properties.thing_groups.iter().map(|group| group.evaluate(&scope));
            let planned = PlannedThing {
                name: properties.thing_name.evaluate(&scope)?,
                attributes: attributes.collect::<Result<_, Error>>()?,
                thing_type: evaluate(&properties.thing_type_name)?,
                groups: groups.collect::<Result<_, Error>>()?,
                billing_group: evaluate(&properties.billing_group)?,
                overrides: *overrides,
            };
            thing = Some((logical.clone(), planned));
        }
        let mut policies = Vec::new();
        for (logical, properties) in &template.policies {
            let name = evaluate(&properties.policy_name)?.map(PlannedPolicy::Named);
            let document = evaluate(&properties.policy_document)?.map(PlannedPolicy::Document);
            policies.extend(name.or(document).map(|policy| (logical.clone(), policy)));
        }
        let mut certificate = None;
        for (logical, (properties, overrides)) in &template.certificates {
            let id = evaluate(&properties.certificate_id)?.map(CertificateSource::Id);
            let pem = evaluate(&properties.certificate_pem)?.map(CertificateSource::Pem);
            let status = match evaluate(&properties.status)?.as_deref() {
                None | Some("ACTIVE") => CertificateStatus::Active,
                Some("INACTIVE") => CertificateStatus::Inactive,
                Some(other) => return Err(Error::Template(format!("certificate Status {other:?}"))),
            };
            let overrides = *overrides;
            certificate = id.or(pem).map(|source| {
                let planned = PlannedCertificate {
                    source,
                    status,
                    overrides,
                };
                (logical.clone(), planned)
            });
        }
        let configuration = template.device_configuration.iter();
        let configuration = configuration.map(|(name, value)| Ok((name.clone(), value.evaluate_json(&scope)?)));
        Ok(Self {
            device_configuration: configuration.collect::<Result<_, Error>>()?,
            thing,
            policies,
            certificate: certificate.ok_or_else(|| Error::Template("no AWS::IoT::Certificate".into()))?,
        })
    }
}
