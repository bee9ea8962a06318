//! Merges a request into a section: objects are merged member by member, null removes, everything else replaces.

use serde_json::{Map, Value, json};

/// Merges `change` into `section`, and records the time of each changed value in `metadata`.
pub(super) fn merge(
    section: &mut Map<String, Value>,
    metadata: &mut Map<String, Value>,
    change: &Map<String, Value>,
    now: u64,
) {
    for (name, value) in change {
        match value {
            Value::Null => {
                section.remove(name);
                metadata.remove(name);
            }
            Value::Object(change) => {
                let mut known = take_object(section, name);
                let mut known_metadata = match known.is_empty() {
                    true => Map::new(),
                    false => take_object(metadata, name),
                };
                merge(&mut known, &mut known_metadata, change, now);
                // An object without members is removed.
                if !known.is_empty() {
                    section.insert(name.clone(), Value::Object(known));
                    metadata.insert(name.clone(), Value::Object(known_metadata));
                } else {
                    section.remove(name);
                    metadata.remove(name);
                }
            }
            other => {
                section.insert(name.clone(), other.clone());
                metadata.insert(name.clone(), metadata_of(other, now));
            }
        }
    }
}

/// Returns the metadata of a section in a request, for its answer.
pub(super) fn metadata_of(value: &Value, now: u64) -> Value {
    match value {
        Value::Object(object) => {
            let members = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), metadata_of(value, now)))
                    .collect(),
            )
        }
        Value::Array(list) => Value::Array(list.iter().map(|value| metadata_of(value, now)).collect()),
        _ => json!({ "timestamp": now }),
    }
}

fn take_object(parent: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match parent.remove(name) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}
