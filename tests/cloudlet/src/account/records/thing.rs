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
    /// The name of its billing group.
    pub billing_group: Option<String>,
    /// The version, which each change increments.
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
    /// Creates a thing that has only a name.
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
