//! Things: the registry's entries for devices, with their types and groups.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::account::time::EpochSeconds;

/// A device's entry in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// The name of its type.
    pub thing_type: Option<String>,
    /// The groups it is in.
    pub groups: BTreeSet<String>,
    /// The group it is billed with.
    pub billing_group: Option<String>,
    /// Counts its changes.
    pub version: u64,
}

/// A thing type or a thing group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// `thingTypeDescription`, `thingGroupDescription`.
    pub description: Option<String>,
    /// When it was created.
    pub created: EpochSeconds,
}

impl Thing {
    /// A thing with nothing but its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            attributes: BTreeMap::new(),
            thing_type: None,
            groups: BTreeSet::new(),
            billing_group: None,
            version: 1,
        }
    }
}
