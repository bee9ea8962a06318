//! Values in a template: text, references to parameters, and functions (developer guide, provision-template, "Template intrinsic
//! functions").

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Error;

/// The mappings of a template: table, row, column.
pub(super) type Mappings = BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>>;

/// The names that expressions can refer to.
pub(super) struct Scope<'a> {
    /// The values of parameters.
    pub(super) values: BTreeMap<&'a str, &'a str>,
    pub(super) mappings: &'a Mappings,
}

/// A value, a reference to a parameter, or a function of such values.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Expression(Value);

impl Expression {
    /// Evaluates it to text. An object that is not a function is a policy document in JSON.
    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Result<String, Error> {
        match evaluate(&self.0, scope)? {
            Value::String(text) => Ok(text),
            document @ Value::Object(_) => Ok(document.to_string()),
            other => Err(Error::Template(format!("{other} is not text"))),
        }
    }

    /// Evaluates it to JSON.
    pub(super) fn evaluate_json(&self, scope: &Scope<'_>) -> Result<Value, Error> {
        evaluate(&self.0, scope)
    }

    /// Adds the names of all parameters that it refers to.
    pub(super) fn collect_references<'a>(&'a self, found: &mut Vec<&'a str>) {
        collect_references(&self.0, found);
    }
}

fn collect_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("Ref").and_then(Value::as_str));
            object.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

fn evaluate(value: &Value, scope: &Scope<'_>) -> Result<Value, Error> {
    match value {
        Value::Object(object) => match function_of(object) {
            Some((name, argument)) => call(name, argument, scope),
            None => {
                let members = object.iter();
                let members = members.map(|(name, value)| Ok((name.clone(), evaluate(value, scope)?)));
                members.collect::<Result<Map<_, _>, Error>>().map(Value::Object)
            }
        },
        Value::Array(array) => array.iter().map(|value| evaluate(value, scope)).collect(),
        other => Ok(other.clone()),
    }
}

/// Returns the function that an object calls, and its argument.
fn function_of(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = object.iter();
    let is_function = |name: &str| name == "Ref" || name.starts_with("Fn::") || name.starts_with("FN::");
    match (members.next(), members.next()) {
        (Some((name, argument)), None) if is_function(name) => Some((name, argument)),
        _ => None,
    }
}

fn call(name: &str, argument: &Value, scope: &Scope<'_>) -> Result<Value, Error> {
    let malformed = || Error::Template(format!("{name} has other arguments: {argument}"));
    let evaluated = match name {
        // Names in its text may be its own, so they are not checked.
        "Fn::Sub" => return substitute(argument, scope).map(Value::String),
        _ => evaluate(argument, scope)?,
    };
    let arguments = evaluated.as_array().map(Vec::as_slice).unwrap_or_default();
    match (name, &evaluated, arguments) {
        ("Ref", Value::String(parameter), _) => value_of(parameter, scope).map(|value| Value::String(value.to_owned())),
        ("Fn::Join", _, [Value::String(separator), Value::Array(parts)]) => {
            let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            Ok(Value::String(parts.ok_or_else(malformed)?.join(separator)))
        }
        ("Fn::Split" | "FN::Split", _, [Value::String(separator), Value::String(text)]) if !separator.is_empty() => {
            Ok(text
                .split(separator.as_str())
                .map(str::to_owned)
                .map(Value::String)
                .collect())
        }
        ("Fn::Select", _, [index, Value::Array(list)]) => {
            let index = match index {
                Value::String(text) => text.parse().ok(),
                number => number.as_u64(),
            };
            let index = index.and_then(|index| usize::try_from(index).ok());
            index.and_then(|index| list.get(index)).cloned().ok_or_else(malformed)
        }
        ("Fn::FindInMap", _, [Value::String(table), Value::String(row), Value::String(column)]) => {
            let row = scope.mappings.get(table).and_then(|table| table.get(row));
            let found = row.and_then(|row| row.get(column)).cloned();
            found.ok_or_else(|| Error::Template(format!("Mappings have no entry for {argument}")))
        }
        ("Ref" | "Fn::Join" | "Fn::Split" | "FN::Split" | "Fn::Select" | "Fn::FindInMap", ..) => Err(malformed()),
        _ => Err(Error::Template(format!(
            "{name} is not a function of provisioning templates"
        ))),
    }
}

/// Substitutes `"text ${Name}"`, or the same with names of its own: `["text ${Name}", {"Name": value}]`. `${!x}` means `${x}`.
fn substitute(argument: &Value, scope: &Scope<'_>) -> Result<String, Error> {
    let malformed = || Error::Template(format!("Fn::Sub has other arguments: {argument}"));
    let none = Map::new();
    let (text, own) = match argument {
        Value::String(text) => (text, &none),
        Value::Array(both) => match both.as_slice() {
            [Value::String(text), Value::Object(own)] => (text, own),
            _ => return Err(malformed()),
        },
        _ => return Err(malformed()),
    };
    let mut result = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(malformed)?;
        result.push_str(before);
        match (name.strip_prefix('!'), own.get(name)) {
            (Some(literal), _) => result.push_str(&format!("${{{literal}}}")),
            (None, Some(value)) => result.push_str(evaluate(value, scope)?.as_str().ok_or_else(malformed)?),
            (None, None) => result.push_str(value_of(name, scope)?),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

fn value_of<'a>(parameter: &str, scope: &Scope<'a>) -> Result<&'a str, Error> {
    let value = scope.values.get(parameter).copied();
    value.ok_or_else(|| Error::Template(format!("Ref to {parameter:?}, which Parameters does not declare")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(value: Value) -> String {
        let mappings: Mappings =
            serde_json::from_value(json!({ "Sites": { "Pune": { "url": "https://pune" } } })).unwrap();
        let scope = Scope {
            values: BTreeMap::from([("Serial", "42"), ("Site", "Pune"), ("Mac", "aa-bb-cc")]),
            mappings: &mappings,
        };
        let expression: Expression = serde_json::from_value(value).unwrap();
        expression
            .evaluate(&scope)
            .unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn functions_evaluate_as_the_guide_documents() {
        let mac = json!({ "Fn::Split": ["-", { "Ref": "Mac" }] });
        for (value, expected) in [
            (json!("text"), "text"),
            (json!({ "Ref": "Serial" }), "42"),
            (json!({ "Fn::Join": ["", ["gw-", { "Ref": "Serial" }]] }), "gw-42"),
            (json!({ "Fn::Join": ["_", ["a", "b", "c"]] }), "a_b_c"),
            (json!({ "Fn::Join": ["", mac.clone()] }), "aabbcc"),
            (json!({ "Fn::Select": ["1", mac.clone()] }), "bb"),
            (json!({ "Fn::Select": [2, mac] }), "cc"),
            (json!({ "Fn::Select": [0, { "FN::Split": ["-", "x-y"] }] }), "x"),
            (json!({ "Fn::Sub": "gw-${Serial}-${Site}" }), "gw-42-Pune"),
            (
                json!({ "Fn::Sub": ["${A}${Serial}", { "A": { "Ref": "Site" } }] }),
                "Pune42",
            ),
            (json!({ "Fn::Sub": "${!iot:Id}" }), "${iot:Id}"),
            (
                json!({ "Fn::FindInMap": ["Sites", { "Ref": "Site" }, "url"] }),
                "https://pune",
            ),
            (json!({ "Version": "1", "Ref": "x" }), r#"{"Ref":"x","Version":"1"}"#),
            (
                json!({ "Resource": { "Fn::Sub": "thing/${Serial}" } }),
                r#"{"Resource":"thing/42"}"#,
            ),
        ] {
            assert_eq!(outcome(value.clone()), expected, "{value}");
        }
        for (value, part) in [
            (json!({ "Ref": "None" }), "does not declare"),
            (json!({ "Ref": 1 }), "other arguments"),
            (json!({ "Fn::Join": ["", "text"] }), "other arguments"),
            (json!({ "Fn::Join": ["", [1]] }), "other arguments"),
            (json!({ "Fn::Split": ["", "text"] }), "other arguments"),
            (json!({ "Fn::Select": [3, ["a"]] }), "other arguments"),
            (json!({ "Fn::Sub": "${Serial" }), "other arguments"),
            (json!({ "Fn::Sub": "${None}" }), "does not declare"),
            (json!({ "Fn::FindInMap": ["Sites", "Oslo", "url"] }), "no entry"),
            (json!({ "Fn::GetAtt": ["a", "b"] }), "not a function"),
            (json!(["a"]), "is not text"),
        ] {
            let found = outcome(value.clone());
            assert!(found.starts_with("error: ") && found.contains(part), "{value}: {found}");
        }
    }
}
