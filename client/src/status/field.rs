//! `gatepost status --field`: a single value of the status document, for scripts without a JSON parser.

use crate::command_line::did_you_mean;
use crate::exit::{Exit, Failure};
use crate::json::Value;

/// Finds a value by a path such as `session.phase`, `role_aliases.telemetry.expiration` or `role_aliases.0.name`. Returns text as it is,
/// and other values as JSON.
pub(super) fn select(document: &Value, path: &str) -> Result<String, Failure> {
    let mut value = document;
    let mut walked = String::new();
    for step in path.split('.') {
        let next = child(value, step);
        let Some(next) = next else {
            let place = if walked.is_empty() { "the status" } else { &walked };
            let names = names(value);
            let suggestion = did_you_mean(step, names.iter().copied());
            let failure = Failure::new(Exit::Unknown, format!("{place} has no field {step:?}{suggestion}"));
            return Err(failure.with_hint(match names.is_empty() {
                true => "gatepost status --json shows every field".to_owned(),
                false => format!("it has {}", names.join(", ")),
            }));
        };
        walked = if walked.is_empty() {
            step.to_owned()
        } else {
            format!("{walked}.{step}")
        };
        value = next;
    }
    Ok(match value {
        Value::String(text) => text.clone(),
        other => other.json(),
    })
}

/// Returns a member of an object, or an item of a list by its `name` or its position.
fn child<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    let member = value
        .members()
        .iter()
        .find(|(name, _)| name == step)
        .map(|(_, member)| member);
    let named = || value.items().iter().find(|item| item.get("name").text() == Some(step));
    let numbered = || value.items().get(step.parse::<usize>().ok()?);
    member.or_else(named).or_else(numbered)
}

/// Returns the next steps of a path that exist below a value.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => members.iter().map(|(name, _)| name.as_str()).collect(),
        Value::Array(items) => items.iter().filter_map(|item| item.get("name").text()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::select;
    use crate::json::Value;

    #[test]
    fn paths_lead_to_values() {
        let document = br#"{"state":"ready","session":{"phase":"connected","problem":null,"n":7},
            "role_aliases":[{"name":"telemetry","default":true},{"name":"a b","phase":"x"}]}"#;
        let document = Value::parse(document).unwrap();
        for (path, expected) in [
            ("state", Ok("ready")),
            ("session.phase", Ok("connected")),
            ("session.problem", Ok("null")),
            ("session.n", Ok("7")),
            ("role_aliases.telemetry.default", Ok("true")),
            ("role_aliases.1.phase", Ok("x")),
            ("role_aliases.a b.name", Ok("a b")),
            ("session", Ok(r#"{"phase":"connected","problem":null,"n":7}"#)),
            ("xyz", Err("the status has no field \"xyz\"")),
            ("sate", Err("the status has no field \"sate\"; did you mean state?")),
            (
                "sesion.phase",
                Err("the status has no field \"sesion\"; did you mean session?"),
            ),
            (
                "session.phse",
                Err("session has no field \"phse\"; did you mean phase?"),
            ),
            (
                "role_alias.0",
                Err("the status has no field \"role_alias\"; did you mean role_aliases?"),
            ),
            (
                "role_aliases.telemtry",
                Err("role_aliases has no field \"telemtry\"; did you mean telemetry?"),
            ),
            ("role_aliases.video", Err("role_aliases has no field \"video\"")),
            ("role_aliases.2", Err("role_aliases has no field \"2\"")),
            ("state.x", Err("state has no field \"x\"")),
            ("", Err("the status has no field \"\"")),
            ("session..phase", Err("session has no field \"\"")),
        ] {
            let found = select(&document, path);
            let found = found.as_deref().map_err(|failure| failure.message());
            assert_eq!(found, expected, "{path}");
        }
    }
}
