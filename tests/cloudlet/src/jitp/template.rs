//! The provisioning template body (developer guide, provision-template).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;
use crate::account::CertificateStatus;

/// A provisioning template: what to make of a certificate. Checked when it is made, so only its parameters can fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    body: Body,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Parameter {
    r#type: String,
    default: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "Type", content = "Properties")]
enum Resource {
    #[serde(rename = "AWS::IoT::Thing")]
    Thing(ThingProperties),
    #[serde(rename = "AWS::IoT::Certificate")]
    Certificate(CertificateProperties),
    #[serde(rename = "AWS::IoT::Policy")]
    Policy(PolicyProperties),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ThingProperties {
    thing_name: Expression,
    #[serde(default)]
    attribute_payload: BTreeMap<String, Expression>,
    thing_type_name: Option<Expression>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CertificateProperties {
    certificate_id: Expression,
    status: Option<Expression>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PolicyProperties {
    policy_name: Option<Expression>,
    policy_document: Option<Expression>,
}

/// A value or a reference to a parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Expression {
    Text(String),
    Reference {
        #[serde(rename = "Ref")]
        parameter: String,
    },
}

/// A template with its parameters filled in.
pub(super) struct Plan {
    pub(super) thing: Option<PlannedThing>,
    pub(super) policy: Option<PlannedPolicy>,
    pub(super) status: CertificateStatus,
}

pub(super) struct PlannedThing {
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) thing_type: Option<String>,
}

pub(super) enum PlannedPolicy {
    Named(String),
    Document(String),
}

impl Template {
    /// Parses a template body; `templateBody` of a CA's registrationConfig, or of CreateProvisioningTemplate.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let body: Body = serde_json::from_str(text).map_err(|error| Error::Template(error.to_string()))?;
        if let Some((name, _)) = body
            .parameters
            .iter()
            .find(|(_, parameter)| parameter.r#type != "String")
        {
            return Err(Error::Template(format!("parameter {name} is not of type String")));
        }
        let certificate = |resource: &&Resource| matches!(resource, Resource::Certificate(_));
        // developer guide, provision-template: JITP "must use CertificateId", so there is exactly one certificate.
        if body.resources.values().filter(certificate).count() != 1 {
            return Err(Error::Template("it has not exactly one AWS::IoT::Certificate".into()));
        }
        for resource in body.resources.values() {
            if let Resource::Policy(policy) = resource
                && policy.policy_name.is_some() == policy.policy_document.is_some()
            {
                return Err(Error::Template(
                    "a policy has either PolicyName or PolicyDocument".into(),
                ));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            body,
        })
    }

    /// The template of the re:Post article "How do I set up JITP with AWS IoT Core": the thing named by the common
    /// name, the certificate ACTIVE, and this policy.
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

    /// The body, as it was given.
    pub fn body(&self) -> &str {
        &self.text
    }

    pub(super) fn plan(&self, given: &BTreeMap<String, String>) -> Result<Plan, Error> {
        let mut values = BTreeMap::new();
        for (name, parameter) in &self.body.parameters {
            let value = given.get(name).or(parameter.default.as_ref());
            let value = value.ok_or_else(|| Error::Template(format!("the certificate has no {name}")))?;
            values.insert(name.as_str(), value.as_str());
        }
        let mut plan = Plan {
            thing: None,
            policy: None,
            status: CertificateStatus::Active,
        };
        for resource in self.body.resources.values() {
            match resource {
                Resource::Thing(thing) => {
                    let attributes = thing.attribute_payload.iter();
                    let attributes = attributes.map(|(name, value)| Ok((name.clone(), value.evaluate(&values)?)));
                    plan.thing = Some(PlannedThing {
                        name: thing.thing_name.evaluate(&values)?,
                        attributes: attributes.collect::<Result<_, Error>>()?,
                        thing_type: thing
                            .thing_type_name
                            .as_ref()
                            .map(|name| name.evaluate(&values))
                            .transpose()?,
                    });
                }
                Resource::Certificate(certificate) => {
                    certificate.certificate_id.evaluate(&values)?;
                    let status = certificate
                        .status
                        .as_ref()
                        .map(|status| status.evaluate(&values))
                        .transpose()?;
                    plan.status = match status.as_deref() {
                        None | Some("ACTIVE") => CertificateStatus::Active,
                        Some("INACTIVE") => CertificateStatus::Inactive,
                        Some(other) => return Err(Error::Template(format!("Status {other:?}"))),
                    };
                }
                Resource::Policy(PolicyProperties {
                    policy_name: Some(name),
                    ..
                }) => {
                    plan.policy = Some(PlannedPolicy::Named(name.evaluate(&values)?));
                }
                Resource::Policy(PolicyProperties {
                    policy_document: Some(document),
                    ..
                }) => {
                    plan.policy = Some(PlannedPolicy::Document(document.evaluate(&values)?));
                }
                Resource::Policy(_) => {}
            }
        }
        Ok(plan)
    }
}

impl Expression {
    fn evaluate(&self, values: &BTreeMap<&str, &str>) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Reference { parameter } => values
                .get(parameter.as_str())
                .map(|value| (*value).to_owned())
                .ok_or_else(|| Error::Template(format!("Ref to undeclared parameter {parameter}"))),
        }
    }
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
