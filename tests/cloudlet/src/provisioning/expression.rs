//! The values in a template: text, or a reference to a parameter.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Error;

/// The parameters' values.
pub(super) type Values<'a> = BTreeMap<&'a str, &'a str>;

/// A value or a reference to a parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Expression {
    Text(String),
    Object(serde_json::Map<String, Value>),
}

impl Expression {
    /// The text it comes to. An object that is no reference is a policy document written as JSON.
    pub(super) fn evaluate(&self, values: &Values<'_>) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Object(object) => match object.get("Ref") {
                Some(Value::String(name)) => values
                    .get(name.as_str())
                    .map(|value| (*value).to_owned())
                    .ok_or_else(|| Error::Template(format!("Ref to {name:?}, which Parameters does not declare"))),
                Some(_) => Err(Error::Template("Ref is not text".into())),
                None => match object.keys().find(|name| name.starts_with("Fn::")) {
                    Some(function) => Err(Error::Template(format!("{function} is not evaluated here"))),
                    None => serde_json::to_string(object).map_err(|error| Error::Template(error.to_string())),
                },
            },
        }
    }

    /// The names of the parameters it refers to.
    pub(super) fn reference(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Object(object) => object.get("Ref").and_then(Value::as_str),
        }
    }
}
