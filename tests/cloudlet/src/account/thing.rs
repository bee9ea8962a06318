//! Things: the registry's entries for devices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Account, Refusal};
use crate::Error;

/// A device's entry in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// The name of its type.
    pub thing_type: Option<String>,
}

/// The longest thing name (quotas; API reference, CreateThing).
const MAX_THING_NAME: usize = 128;

impl Account {
    /// CreateThing. The same name again replaces the entry, as RegisterThing does without OverrideSettings here.
    pub fn put_thing(&mut self, thing: Thing) -> Result<(), Error> {
        // API reference, CreateThing: [a-zA-Z0-9:_-]+. A common name with a dot or a space stops JITP here.
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
        if thing.name.is_empty() || thing.name.len() > MAX_THING_NAME || !thing.name.chars().all(allowed) {
            return Err(Refusal::invalid(format!(
                "thing name {:?} does not match [a-zA-Z0-9:_-]{{1,{MAX_THING_NAME}}}",
                thing.name
            ))
            .into());
        }
        self.things.insert(thing.name.clone(), thing);
        Ok(())
    }

    /// Every thing.
    pub fn things(&self) -> impl Iterator<Item = &Thing> {
        self.things.values()
    }

    /// One thing.
    pub fn thing(&self, name: &str) -> Option<&Thing> {
        self.things.get(name)
    }
}
