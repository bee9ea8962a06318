//! The part of the policy language that AWS IoT's X.509 policies use. Everything else is refused, not ignored.

use serde::Deserialize;

use super::condition::Conditions;
use super::one_or_many::one_or_many;
use crate::Error;

/// A parsed policy document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) statements: Vec<Statement>,
}

/// Allow or Deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// One statement.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) action: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) resource: Vec<String>,
    #[serde(default)]
    pub(super) condition: Conditions,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Raw {
    version: String,
    #[serde(deserialize_with = "one_or_many")]
    statement: Vec<Statement>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_str(text).map_err(|error| Error::Policy(error.to_string()))?;
        // developer guide, iot-policies: "Version" must be 2012-10-17; older ones know no variables.
        if raw.version != "2012-10-17" {
            return Err(Error::Policy(format!("Version {:?} is not 2012-10-17", raw.version)));
        }
        for action in raw.statement.iter().flat_map(|statement| &statement.action) {
            if action != "*" && !action.starts_with("iot:") {
                return Err(Error::Policy(format!("Action {action:?} is none of AWS IoT's")));
            }
        }
        Ok(Self {
            statements: raw.statement,
        })
    }
}
