//! IAM roles, as far as AWS IoT uses them: who may assume them, for how long, and whether they allow provisioning.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::account::refusal::{Refusal, RefusalKind};
use crate::account::time::{EpochSeconds, now};

/// The service that assumes the roles behind role aliases.
pub const CREDENTIALS_PROVIDER: &str = "credentials.iot.amazonaws.com";
/// The service that provisions devices.
pub const AWS_IOT: &str = "iot.amazonaws.com";
/// The managed policy that just-in-time provisioning requires (developer guide, jit-provisioning).
const THINGS_REGISTRATION: &str = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration";

/// An IAM role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// AssumeRolePolicyDocument, unchanged.
    pub trust_policy: TrustPolicy,
    /// MaxSessionDuration.
    pub max_session_seconds: u64,
    /// Its description.
    pub description: Option<String>,
    /// The ARNs of the managed policies attached to it.
    pub attached: BTreeSet<String>,
    /// Its inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// When it was created.
    pub created: EpochSeconds,
}

/// The principals that may assume a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustPolicy {
    text: String,
    services: BTreeSet<String>,
}

impl TrustPolicy {
    /// Parses an AssumeRolePolicyDocument. Its conditions are not evaluated: all requests come from this account.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = |what: &str| Error::from(Refusal::new(RefusalKind::MalformedDocument, what));
        let document: Value = serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        let statements = document
            .get("Statement")
            .ok_or_else(|| malformed("Missing required field Statement"))?;
        let mut services = BTreeSet::new();
        for statement in one_or_many(statements) {
            let member = |name: &str| statement.get(name).map(one_or_many).unwrap_or_default();
            let effect = statement.get("Effect").and_then(Value::as_str);
            let principals = statement
                .get("Principal")
                .ok_or_else(|| malformed("Missing required field Principal"))?;
            match effect {
                Some("Allow") if member("Action").contains(&&Value::from("sts:AssumeRole")) => {
                    let named = principals.get("Service").map(one_or_many).unwrap_or_default();
                    services.extend(named.into_iter().filter_map(Value::as_str).map(str::to_owned));
                }
                Some("Allow" | "Deny") => {}
                _ => return Err(malformed("Effect is neither Allow nor Deny")),
            }
        }
        Ok(Self {
            text: text.to_owned(),
            services,
        })
    }

    /// Creates a document that trusts one service.
    pub fn of_service(service: &str) -> Self {
        let text = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
        });
        Self {
            text: text.to_string(),
            services: BTreeSet::from([service.to_owned()]),
        }
    }

    /// Returns the unchanged document.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether this service may assume the role.
    pub fn trusts(&self, service: &str) -> bool {
        self.services.contains(service)
    }
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(many) => many.iter().collect(),
        one => vec![one],
    }
}

impl TryFrom<String> for TrustPolicy {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<TrustPolicy> for String {
    fn from(policy: TrustPolicy) -> Self {
        policy.text
    }
}

impl Role {
    /// The values that CreateRole accepts for MaxSessionDuration (IAM API Reference, CreateRole).
    pub const SESSION_SECONDS: RangeInclusive<u64> = 3600..=43_200;

    /// Creates a role that this service may assume for up to twelve hours.
    pub fn trusted_by(service: &str, arn: impl Into<String>) -> Self {
        Self {
            arn: arn.into(),
            trust_policy: TrustPolicy::of_service(service),
            max_session_seconds: *Self::SESSION_SECONDS.end(),
            description: None,
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            created: now(),
        }
    }

    /// Creates a role that the credentials provider may assume for up to twelve hours.
    pub fn trusting(arn: impl Into<String>) -> Self {
        Self::trusted_by(CREDENTIALS_PROVIDER, arn)
    }

    /// Creates a role that allows AWS IoT to provision things.
    pub fn provisioning(arn: impl Into<String>) -> Self {
        let mut role = Self::trusted_by(AWS_IOT, arn);
        role.attached.insert(THINGS_REGISTRATION.to_owned());
        role
    }

    /// Returns its name, the last part of the ARN.
    pub fn name(&self) -> &str {
        self.arn.rsplit_once('/').map_or(self.arn.as_str(), |(_, name)| name)
    }

    /// Returns whether the role allows just-in-time provisioning, by the managed policy or an inline one that allows iot:RegisterThing.
    pub(crate) fn may_provision(&self) -> bool {
        let allows = |document: &String| {
            ["iot:RegisterThing", "iot:*", "\"*\""]
                .iter()
                .any(|action| document.contains(action))
        };
        self.attached.contains(THINGS_REGISTRATION) || self.inline.values().any(allows)
    }
}
