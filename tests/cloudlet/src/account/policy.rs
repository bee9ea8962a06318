//! AWS IoT policies with their versions and attachments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::{PolicyVersion, VersionedPolicy};
use super::refusal::{Refusal, RefusalKind};
use crate::Error;
use crate::policy::Policy;

/// Quotas: named policy versions.
const MAX_VERSIONS: usize = 5;

/// The AWS IoT policies of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policies {
    by_name: BTreeMap<String, VersionedPolicy>,
}

impl Policies {
    /// CreatePolicy.
    pub fn create(&mut self, policy: Policy) -> Result<(), Error> {
        let name = policy.name().to_owned();
        // API reference, CreatePolicy: [\w+=,.@-]+, 1 to 128.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(1..=128).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(Refusal::invalid(format!("policy name {name:?} does not match [\\w+=,.@-]{{1,128}}")).into());
        }
        if self.by_name.contains_key(&name) {
            let message = format!("Policy cannot be created - name already exists (name={name})");
            return Err(Refusal::already_exists(message, "policy", &name).into());
        }
        self.by_name.insert(name, VersionedPolicy::new(policy));
        Ok(())
    }

    /// Creates a policy, or replaces the default version of an existing one.
    pub fn put(&mut self, policy: Policy) {
        self.by_name
            .insert(policy.name().to_owned(), VersionedPolicy::new(policy));
    }

    /// CreatePolicyVersion. Returns the number of the new version.
    pub fn create_version(&mut self, policy: Policy, set_as_default: bool) -> Result<u32, Error> {
        let versioned = self.policy_mut(policy.name())?;
        if versioned.versions.len() >= MAX_VERSIONS {
            let message = format!(
                "The policy {} already has the maximum number of versions (5)",
                policy.name()
            );
            return Err(Refusal::new(RefusalKind::VersionsLimitExceeded, message).into());
        }
        Ok(versioned.add(policy, set_as_default))
    }

    /// SetDefaultPolicyVersion.
    pub fn set_default_version(&mut self, name: &str, version: u32) -> Result<(), Error> {
        self.version(name, version)?;
        self.policy_mut(name)?.default_version = version;
        Ok(())
    }

    /// DeletePolicyVersion. The default version cannot be deleted.
    pub fn delete_version(&mut self, name: &str, version: u32) -> Result<(), Error> {
        self.version(name, version)?;
        let policy = self.policy_mut(name)?;
        if policy.default_version == version {
            let message = "Cannot delete the default version of a policy";
            return Err(Refusal::new(RefusalKind::DeleteConflict, message).into());
        }
        policy.versions.remove(&version);
        Ok(())
    }

    /// DeletePolicy. The policy must have no version besides the default one; nor be attached, which `is_attached` tells.
    pub(super) fn delete(&mut self, name: &str, is_attached: bool) -> Result<(), Error> {
        let versions = self.existing(name)?.versions.len();
        let in_the_way = match (is_attached, versions) {
            (true, _) => "it is attached to one or more certificates",
            (false, 2..) => "it has versions beside its default one",
            (false, _) => {
                self.by_name.remove(name);
                return Ok(());
            }
        };
        let message = format!("The policy cannot be deleted as {in_the_way} (name={name})");
        Err(Refusal::new(RefusalKind::DeleteConflict, message).into())
    }

    /// Returns all policies with their versions, by name.
    pub fn all(&self) -> &BTreeMap<String, VersionedPolicy> {
        &self.by_name
    }

    /// Returns a policy with its versions.
    pub fn existing(&self, name: &str) -> Result<&VersionedPolicy, Error> {
        self.by_name.get(name).ok_or_else(|| not_found(name).into())
    }

    /// Returns a version of a policy.
    pub fn version(&self, name: &str, version: u32) -> Result<&PolicyVersion, Error> {
        let versions = &self.existing(name)?.versions;
        versions
            .get(&version)
            .ok_or_else(|| Refusal::not_found(format!("Policy {name} has no version {version}")).into())
    }

    /// Returns the default version of every policy.
    pub fn in_force(&self) -> impl Iterator<Item = &Policy> {
        self.by_name.values().filter_map(VersionedPolicy::in_force)
    }

    /// Returns the default version of a policy.
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.by_name.get(name)?.in_force()
    }

    fn policy_mut(&mut self, name: &str) -> Result<&mut VersionedPolicy, Error> {
        self.by_name.get_mut(name).ok_or_else(|| not_found(name).into())
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::not_found(format!("Policy not found (name={name})"))
}
