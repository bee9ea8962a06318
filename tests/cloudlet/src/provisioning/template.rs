//! The provisioning template body (developer guide, provision-template).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::expression::{Expression, Mappings};
use super::overrides::{CertificateOverrides, ThingOverrides};
use crate::Error;

/// A provisioning template. It was checked when it was created, so only its parameters can cause a failure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    pub(super) parameters: BTreeMap<String, Parameter>,
    /// Things by logical name.
    pub(super) things: BTreeMap<String, (ThingProperties, ThingOverrides)>,
    pub(super) certificates: BTreeMap<String, (CertificateProperties, CertificateOverrides)>,
    pub(super) policies: BTreeMap<String, PolicyProperties>,
    pub(super) mappings: Mappings,
    /// The configuration that fleet provisioning, and nothing else, sends to the device.
    pub(super) device_configuration: BTreeMap<String, Expression>,
}

/// Maximum length of a template: 10240 characters (API reference, RegisterThing).
const MAX_CHARACTERS: usize = 10_240;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    resources: BTreeMap<String, Resource>,
    #[serde(default)]
    mappings: Mappings,
    #[serde(default)]
    device_configuration: BTreeMap<String, Expression>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Parameter {
    r#type: String,
    pub(super) default: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Resource {
    r#type: String,
    properties: Value,
    #[serde(default)]
    override_settings: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ThingProperties {
    pub(super) thing_name: Expression,
    #[serde(default)]
    pub(super) attribute_payload: BTreeMap<String, Expression>,
    pub(super) thing_type_name: Option<Expression>,
    #[serde(default)]
    pub(super) thing_groups: Vec<Expression>,
    pub(super) billing_group: Option<Expression>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CertificateProperties {
    pub(super) certificate_id: Option<Expression>,
    pub(super) certificate_pem: Option<Expression>,
    pub(super) status: Option<Expression>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PolicyProperties {
    pub(super) policy_name: Option<Expression>,
    pub(super) policy_document: Option<Expression>,
}

impl Template {
    /// Parses a template body: the `templateBody` of a CA's registrationConfig, or of CreateProvisioningTemplate.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.chars().count() > MAX_CHARACTERS {
            return Err(Error::Template(format!("longer than {MAX_CHARACTERS} characters")));
        }
        let body: Body = serde_json::from_str(text).map_err(|error| Error::Template(error.to_string()))?;
        let is_text = |parameter: &Parameter| parameter.r#type == "String";
        if let Some((name, _)) = body.parameters.iter().find(|(_, parameter)| !is_text(parameter)) {
            return Err(Error::Template(format!("parameter {name} is not of type String")));
        }
        let mut template = Self {
            text: text.to_owned(),
            parameters: body.parameters,
            things: BTreeMap::new(),
            certificates: BTreeMap::new(),
            policies: BTreeMap::new(),
            mappings: body.mappings,
            device_configuration: body.device_configuration,
        };
        for (name, resource) in body.resources {
            template.add(name, resource)?;
        }
        template.check()?;
        Ok(template)
    }

    fn add(&mut self, name: String, resource: Resource) -> Result<(), Error> {
        let Resource {
            r#type: kind,
            properties,
            override_settings,
        } = resource;
        match kind.as_str() {
            "AWS::IoT::Thing" => {
                let thing = (
                    properties_of(&name, properties)?,
                    overrides_of(&name, override_settings)?,
                );
                self.things.insert(name, thing);
            }
            "AWS::IoT::Certificate" => {
                let certificate = (
                    properties_of(&name, properties)?,
                    overrides_of(&name, override_settings)?,
                );
                self.certificates.insert(name, certificate);
            }
            // developer guide, provision-template: policies have no OverrideSettings.
            "AWS::IoT::Policy" if override_settings.is_none() => {
                let policy = properties_of(&name, properties)?;
                self.policies.insert(name, policy);
            }
            _ => {
                return Err(Error::Template(format!(
                    "resource {name}: type {kind} or its OverrideSettings"
                )));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::Template(message.to_owned()));
        if self.certificates.len() != 1 {
            return refuse("it has not exactly one AWS::IoT::Certificate");
        }
        if self.things.len() > 1 {
            return refuse("it has more than one AWS::IoT::Thing");
        }
        let named_once = |(certificate, _): &(CertificateProperties, _)| {
            certificate.certificate_id.is_some() != certificate.certificate_pem.is_some()
        };
        if !self.certificates.values().all(named_once) {
            return refuse("a certificate has either CertificateId or CertificatePem");
        }
        let one_source = |policy: &PolicyProperties| policy.policy_name.is_some() != policy.policy_document.is_some();
        if !self.policies.values().all(one_source) {
            return refuse("a policy has either PolicyName or PolicyDocument");
        }
        let mut references = Vec::new();
        self.expressions()
            .for_each(|expression| expression.collect_references(&mut references));
        if let Some(name) = references.into_iter().find(|name| !self.parameters.contains_key(*name)) {
            return refuse(&format!("Ref to {name:?}, which Parameters does not declare"));
        }
        Ok(())
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let things = self.things.values().flat_map(|(thing, _)| {
            let one = [
                Some(&thing.thing_name),
                thing.thing_type_name.as_ref(),
                thing.billing_group.as_ref(),
            ];
            let many = thing.attribute_payload.values().chain(&thing.thing_groups);
            one.into_iter().flatten().chain(many)
        });
        let certificates = self.certificates.values().flat_map(|(certificate, _)| {
            [
                &certificate.certificate_id,
                &certificate.certificate_pem,
                &certificate.status,
            ]
        });
        let policies = self.policies.values();
        let policies = policies.flat_map(|policy| [&policy.policy_name, &policy.policy_document]);
        let configuration = self.device_configuration.values();
        things
            .chain(certificates.chain(policies).flatten())
            .chain(configuration)
    }

    /// Creates the template of the re:Post article "How do I use JITP with AWS IoT Core": the common name is the thing name, the
    /// certificate becomes ACTIVE, and the policy is this one.
    #[allow(
        clippy::expect_used,
        reason = "the body is built here, the document escaped by serde_json"
    )]
    pub fn article(policy_document: &str) -> Self {
        let parameter = |name: &str| format!("AWS::IoT::Certificate::{name}");
        let body = json!({
            "Parameters": {
                parameter("CommonName"): { "Type": "String" },
                parameter("Country"): { "Type": "String" },
                parameter("Id"): { "Type": "String" },
            },
            "Resources": {
                "thing": { "Type": "AWS::IoT::Thing", "Properties": {
                    "ThingName": { "Ref": parameter("CommonName") },
                    "AttributePayload": { "version": "v1", "country": { "Ref": parameter("Country") } },
                }},
                "certificate": { "Type": "AWS::IoT::Certificate", "Properties": {
                    "CertificateId": { "Ref": parameter("Id") },
                    "Status": "ACTIVE",
                }},
                "policy": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": policy_document }},
            },
        });
        Self::parse(&body.to_string()).expect("a valid template")
    }

    /// Returns the body, unchanged.
    pub fn body(&self) -> &str {
        &self.text
    }
}

fn properties_of<T: DeserializeOwned>(name: &str, properties: Value) -> Result<T, Error> {
    serde_json::from_value(properties).map_err(|error| Error::Template(format!("resource {name}: {error}")))
}

fn overrides_of<T: DeserializeOwned + Default>(name: &str, settings: Option<Value>) -> Result<T, Error> {
    settings.map_or_else(|| Ok(T::default()), |settings| properties_of(name, settings))
}

impl TryFrom<String> for Template {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}
