//! IAM roles, as far as AWS IoT uses them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::Role;
use super::refusal::{Refusal, RefusalKind};
use crate::Error;

/// The IAM roles of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roles {
    by_arn: BTreeMap<String, Role>,
}

impl Roles {
    /// Adds a role, or replaces the one with the same ARN.
    pub fn put(&mut self, role: Role) {
        self.by_arn.insert(role.arn.clone(), role);
    }

    /// CreateRole.
    pub fn create(&mut self, role: Role) -> Result<(), Error> {
        // IAM API Reference, CreateRole: [\w+=,.@-]+, 1 to 64.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(1..=64).contains(&role.name().len()) || !role.name().chars().all(allowed) {
            return Err(Refusal::invalid("The specified value for roleName is invalid").into());
        }
        check_session(role.max_session_seconds)?;
        if self.named(role.name()).is_ok() {
            let message = format!("Role with name {} already exists.", role.name());
            return Err(Refusal::new(RefusalKind::AlreadyExists, message).into());
        }
        self.put(role);
        Ok(())
    }

    /// Changes a role: UpdateRole, UpdateAssumeRolePolicy, and operations that attach policies.
    pub fn update(&mut self, name: &str, update: impl FnOnce(&mut Role)) -> Result<(), Error> {
        let mut role = self.named(name)?.clone();
        update(&mut role);
        check_session(role.max_session_seconds)?;
        self.put(role);
        Ok(())
    }

    /// DeleteRole. The role must have no policies.
    pub fn delete(&mut self, name: &str) -> Result<(), Error> {
        let role = self.named(name)?;
        if !role.attached.is_empty() || !role.inline.is_empty() {
            let message = "Cannot delete entity, must detach all policies first.";
            return Err(Refusal::new(RefusalKind::DeleteConflict, message).into());
        }
        let arn = role.arn.clone();
        self.remove(&arn);
        Ok(())
    }

    /// Removes a role with everything attached to it.
    pub fn remove(&mut self, arn: &str) {
        self.by_arn.remove(arn);
    }

    /// Returns all roles.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.by_arn.values()
    }

    /// Returns the role with an ARN.
    pub fn get(&self, arn: &str) -> Option<&Role> {
        self.by_arn.get(arn)
    }

    /// Returns the role with a name.
    pub fn named(&self, name: &str) -> Result<&Role, Error> {
        self.iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| Refusal::not_found(format!("The role with name {name} cannot be found.")).into())
    }
}

fn check_session(seconds: u64) -> Result<(), Error> {
    if Role::SESSION_SECONDS.contains(&seconds) {
        return Ok(());
    }
    Err(Refusal::invalid("maxSessionDuration is outside 3600 to 43200").into())
}
