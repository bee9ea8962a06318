//! A shadow's document.

use serde_json::{Map, Value, json};

use super::delta::delta;
use super::merge::merge;
use super::request::{Section, State};

/// A shadow's document.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    desired: Option<Part>,
    reported: Option<Part>,
    pub(super) version: u64,
}

/// A section of the document, with the time at which each value was set.
#[derive(Debug, Clone, Default)]
struct Part {
    state: Map<String, Value>,
    metadata: Map<String, Value>,
}

impl Document {
    /// Creates an empty document in place of one that was deleted at this version.
    pub(super) fn after_deletion(version: u64) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    /// Returns the document after a change.
    pub(super) fn changed(&self, change: &State, now: u64) -> Self {
        Self {
            desired: changed(self.desired.as_ref(), change.desired.as_ref(), now),
            reported: changed(self.reported.as_ref(), change.reported.as_ref(), now),
            version: self.version + 1,
        }
    }

    /// Returns state and metadata of the difference between desired and reported, if there is one.
    pub(super) fn delta(&self) -> Option<(Value, Value)> {
        let desired = self.desired.as_ref()?;
        let nothing = Map::new();
        let reported = self.reported.as_ref().map_or(&nothing, |reported| &reported.state);
        let (state, metadata) = delta(&desired.state, &desired.metadata, reported);
        (!state.is_empty()).then_some((Value::Object(state), Value::Object(metadata)))
    }

    /// Returns state and metadata, as in `previous` and `current` of the topic `documents`.
    pub(super) fn json(&self) -> Value {
        let parts = [("desired", &self.desired), ("reported", &self.reported)];
        let parts = parts
            .into_iter()
            .filter_map(|(name, part)| Some((name.to_owned(), part.as_ref()?)));
        let (state, metadata): (Map<_, _>, Map<_, _>) = parts
            .map(|(name, part)| {
                let state = (name.clone(), Value::Object(part.state.clone()));
                (state, (name, Value::Object(part.metadata.clone())))
            })
            .unzip();
        json!({ "state": state, "metadata": metadata, "version": self.version })
    }
}

fn changed(known: Option<&Part>, change: Option<&Section>, now: u64) -> Option<Part> {
    match change {
        None => known.cloned(),
        Some(None) => None,
        Some(Some(change)) => {
            let mut part = known.cloned().unwrap_or_default();
            merge(&mut part.state, &mut part.metadata, change, now);
            Some(part)
        }
    }
}
