//! AWS IoT policies with their versions and attachments.

use std::collections::BTreeMap;

use super::data::Account;
use super::records::{CertificateId, PolicyVersion, VersionedPolicy};
use super::refusal::{Refusal, RefusalKind};
use crate::Error;
use crate::policy::Policy;

/// Quotas: named policy versions.
const MAX_VERSIONS: usize = 5;
/// Quotas: policies attached to one certificate.
const MAX_ATTACHED: usize = 10;

impl Account {
    /// CreatePolicy.
    pub fn create_policy(&mut self, policy: Policy) -> Result<(), Error> {
        let name = policy.name().to_owned();
        // API reference, CreatePolicy: [\w+=,.@-]+, 1 to 128.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(1..=128).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(Refusal::invalid(format!("policy name {name:?} does not match [\\w+=,.@-]{{1,128}}")).into());
        }
        if self.policies.contains_key(&name) {
            let arn = self.iot_arn("policy", &name);
            let message = format!("Policy cannot be created - name already exists (name={name})");
            return Err(Refusal::already_exists(message, arn).into());
        }
        self.policies.insert(name, VersionedPolicy::new(policy));
        Ok(())
    }

    /// Creates a policy, or replaces the default version of an existing one.
    pub fn put_policy(&mut self, policy: Policy) {
        self.policies
            .insert(policy.name().to_owned(), VersionedPolicy::new(policy));
    }

    /// CreatePolicyVersion. Returns the number of the new version.
    pub fn create_policy_version(&mut self, policy: Policy, set_as_default: bool) -> Result<u32, Error> {
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
    pub fn set_default_policy_version(&mut self, name: &str, version: u32) -> Result<(), Error> {
        self.policy_version(name, version)?;
        self.policy_mut(name)?.default_version = version;
        Ok(())
    }

    /// DeletePolicyVersion. The default version cannot be deleted.
    pub fn delete_policy_version(&mut self, name: &str, version: u32) -> Result<(), Error> {
        self.policy_version(name, version)?;
        let policy = self.policy_mut(name)?;
        if policy.default_version == version {
            let message = "Cannot delete the default version of a policy";
            return Err(Refusal::new(RefusalKind::DeleteConflict, message).into());
        }
        policy.versions.remove(&version);
        Ok(())
    }

    /// DeletePolicy. The policy must not be attached, and must have no version besides the default one.
    pub fn delete_policy(&mut self, name: &str) -> Result<(), Error> {
        let versions = self.versioned_policy(name)?.versions.len();
        let attached = self
            .certificates()
            .any(|certificate| certificate.policies.contains(name));
        let in_the_way = match (attached, versions) {
            (true, _) => "it is attached to one or more certificates",
            (false, 2..) => "it has versions beside its default one",
            (false, _) => {
                self.policies.remove(name);
                return Ok(());
            }
        };
        let message = format!("The policy cannot be deleted as {in_the_way} (name={name})");
        Err(Refusal::new(RefusalKind::DeleteConflict, message).into())
    }

    /// Returns all policies with their versions, by name.
    pub fn versioned_policies(&self) -> &BTreeMap<String, VersionedPolicy> {
        &self.policies
    }

    /// Returns a policy with its versions.
    pub fn versioned_policy(&self, name: &str) -> Result<&VersionedPolicy, Error> {
        self.policies.get(name).ok_or_else(|| not_found(name).into())
    }

    /// Returns a version of a policy.
    pub fn policy_version(&self, name: &str, version: u32) -> Result<&PolicyVersion, Error> {
        let versions = &self.versioned_policy(name)?.versions;
        versions
            .get(&version)
            .ok_or_else(|| Refusal::not_found(format!("Policy {name} has no version {version}")).into())
    }

    /// Returns the default version of every policy.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values().filter_map(VersionedPolicy::in_force)
    }

    /// Returns the policies attached to a certificate.
    pub fn policies_of(&self, id: &CertificateId) -> Vec<&Policy> {
        let names = self.certificate(id).map(|certificate| &certificate.policies);
        names
            .into_iter()
            .flatten()
            .filter_map(|name| self.policies.get(name)?.in_force())
            .collect()
    }

    /// AttachPolicy.
    pub fn attach_policy(&mut self, id: &CertificateId, policy: &str) -> Result<(), Error> {
        self.versioned_policy(policy)?;
        let attached = &mut self.certificate_mut(id)?.policies;
        if attached.len() >= MAX_ATTACHED && !attached.contains(policy) {
            let message = format!("A certificate has at most {MAX_ATTACHED} policies");
            return Err(Refusal::new(RefusalKind::LimitExceeded, message).into());
        }
        attached.insert(policy.to_owned());
        Ok(())
    }

    /// DetachPolicy.
    pub fn detach_policy(&mut self, id: &CertificateId, policy: &str) -> Result<(), Error> {
        self.versioned_policy(policy)?;
        self.certificate_mut(id)?.policies.remove(policy);
        Ok(())
    }

    fn policy_mut(&mut self, name: &str) -> Result<&mut VersionedPolicy, Error> {
        self.policies.get_mut(name).ok_or_else(|| not_found(name).into())
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::not_found(format!("Policy not found (name={name})"))
}
