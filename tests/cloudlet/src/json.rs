//! JSON objects put together.

use serde_json::Value;

/// An object with the members of another added.
pub(crate) fn joined(mut object: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (object.as_object_mut(), more) {
        members.extend(more);
    }
    object
}
