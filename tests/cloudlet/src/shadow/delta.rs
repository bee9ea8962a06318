//! The difference between the desired and the reported state.

use serde_json::{Map, Value};

/// Returns the members of `desired` that are missing or different in `reported`, and their metadata.
pub(super) fn delta(
    desired: &Map<String, Value>,
    metadata: &Map<String, Value>,
    reported: &Map<String, Value>,
) -> (Map<String, Value>, Map<String, Value>) {
    let (mut state, mut of_state) = (Map::new(), Map::new());
    for (name, wanted) in desired {
        match (wanted, reported.get(name)) {
            (wanted, Some(known)) if wanted == known => {}
            (Value::Object(wanted), Some(Value::Object(known))) => {
                let empty = Map::new();
                let metadata = metadata.get(name).and_then(Value::as_object).unwrap_or(&empty);
                let (inner, of_inner) = delta(wanted, metadata, known);
                if !inner.is_empty() {
                    state.insert(name.clone(), Value::Object(inner));
                    of_state.insert(name.clone(), Value::Object(of_inner));
                }
            }
            (wanted, _) => {
                state.insert(name.clone(), wanted.clone());
                of_state.extend(metadata.get(name).map(|metadata| (name.clone(), metadata.clone())));
            }
        }
    }
    (state, of_state)
}
