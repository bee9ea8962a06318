//! AWS IoT policies with their versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::time::{EpochSeconds, now};
use crate::policy::Policy;

/// A policy and its versions, one of which is the default.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VersionedPolicy {
    pub(in crate::account) versions: BTreeMap<u32, PolicyVersion>,
    pub(in crate::account) default_version: u32,
    pub(in crate::account) latest_version: u32,
}

/// A version of a policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// The policy as of this version.
    pub policy: Policy,
    /// When it was created.
    pub created: EpochSeconds,
}

impl VersionedPolicy {
    /// Creates a policy with its first version.
    pub(in crate::account) fn new(policy: Policy) -> Self {
        let first = PolicyVersion { policy, created: now() };
        Self {
            versions: BTreeMap::from([(1, first)]),
            default_version: 1,
            latest_version: 1,
        }
    }

    /// Returns the number of the default version.
    pub fn default_version(&self) -> u32 {
        self.default_version
    }

    /// Returns all versions by number.
    pub fn versions(&self) -> &BTreeMap<u32, PolicyVersion> {
        &self.versions
    }

    /// Returns the default version.
    pub fn in_force(&self) -> Option<&Policy> {
        self.versions.get(&self.default_version).map(|version| &version.policy)
    }

    /// Adds a version; returns its number.
    pub(in crate::account) fn add(&mut self, policy: Policy, set_as_default: bool) -> u32 {
        self.latest_version += 1;
        let version = PolicyVersion { policy, created: now() };
        self.versions.insert(self.latest_version, version);
        if set_as_default {
            self.default_version = self.latest_version;
        }
        self.latest_version
    }
}
