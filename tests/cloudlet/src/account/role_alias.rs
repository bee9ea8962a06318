//! Role aliases, by which devices refer to roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::RoleAlias;
use super::refusal::{Refusal, RefusalKind};
use crate::Error;

/// Quotas: maximum number of role aliases in an account and Region.
const MAX_ROLE_ALIASES: usize = 100;

/// The role aliases of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoleAliases {
    by_name: BTreeMap<String, RoleAlias>,
}

impl RoleAliases {
    /// Adds a role alias, or replaces the one with the same name.
    pub fn put(&mut self, alias: RoleAlias) -> Result<(), Error> {
        // API reference, CreateRoleAlias: [\w=,@-]+, 1 to 128.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_=,@-".contains(c);
        if !(1..=128).contains(&alias.name.len()) || !alias.name.chars().all(allowed) {
            let message = format!("role alias {:?} does not match [\\w=,@-]{{1,128}}", alias.name);
            return Err(Refusal::invalid(message).into());
        }
        if !RoleAlias::DURATION_SECONDS.contains(&alias.duration_seconds) {
            return Err(Refusal::invalid("credentialDurationSeconds is outside 900 to 43200").into());
        }
        if !alias.role_arn.starts_with("arn:aws:iam::") || !alias.role_arn.contains(":role/") {
            return Err(Refusal::invalid(format!("{} is not the ARN of a role", alias.role_arn)).into());
        }
        self.by_name.insert(alias.name.clone(), alias);
        Ok(())
    }

    /// CreateRoleAlias.
    pub fn create(&mut self, alias: RoleAlias) -> Result<(), Error> {
        if self.by_name.contains_key(&alias.name) {
            let message = format!("Role alias {} already exists", alias.name);
            return Err(Refusal::already_exists(message, "rolealias", &alias.name).into());
        }
        if self.by_name.len() >= MAX_ROLE_ALIASES {
            let message = format!("An account has at most {MAX_ROLE_ALIASES} role aliases");
            return Err(Refusal::new(RefusalKind::LimitExceeded, message).into());
        }
        self.put(alias)
    }

    /// DeleteRoleAlias.
    pub fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.existing(name)?;
        self.remove(name);
        Ok(())
    }

    /// Removes a role alias, if it exists.
    pub fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Returns a role alias.
    pub fn get(&self, name: &str) -> Option<&RoleAlias> {
        self.by_name.get(name)
    }

    /// Returns a role alias, or AWS's error.
    pub fn existing(&self, name: &str) -> Result<&RoleAlias, Error> {
        self.get(name)
            .ok_or_else(|| Refusal::not_found(format!("Role alias {name} does not exist")).into())
    }

    /// Returns all role aliases.
    pub fn iter(&self) -> impl Iterator<Item = &RoleAlias> {
        self.by_name.values()
    }
}
