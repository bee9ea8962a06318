//! IAM roles, as far as the credentials provider looks at them, and the aliases that lead to them.

use serde::{Deserialize, Serialize};

use super::{Account, Refusal};
use crate::Error;

/// An IAM role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Whether its trust policy names `credentials.iot.amazonaws.com`.
    pub trusts_credentials_provider: bool,
    /// MaxSessionDuration.
    pub max_session_seconds: u64,
}

impl Role {
    /// A role that the credentials provider may assume for up to twelve hours.
    pub fn trusting(arn: impl Into<String>) -> Self {
        Self {
            arn: arn.into(),
            trusts_credentials_provider: true,
            max_session_seconds: *RoleAlias::DURATION_SECONDS.end(),
        }
    }
}

/// A name for a role that devices may ask credentials for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleAlias {
    /// Its name: `[\w=,@-]{1,128}`.
    pub name: String,
    /// The ARN of the role it leads to, which need not exist.
    pub role_arn: String,
    /// credentialDurationSeconds.
    pub duration_seconds: u64,
}

impl RoleAlias {
    /// What CreateRoleAlias takes for credentialDurationSeconds (developer guide, authorizing-direct-aws).
    pub const DURATION_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;

    /// credentialDurationSeconds when none is given.
    pub const DEFAULT_DURATION_SECONDS: u64 = 3600;

    /// An alias with the default duration.
    pub fn new(name: impl Into<String>, role_arn: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            role_arn: role_arn.into(),
            duration_seconds: Self::DEFAULT_DURATION_SECONDS,
        }
    }

    /// The same with another duration.
    pub fn lasting(mut self, seconds: u64) -> Self {
        self.duration_seconds = seconds;
        self
    }
}

impl Account {
    /// CreateRole.
    pub fn put_role(&mut self, role: Role) {
        self.roles.insert(role.arn.clone(), role);
    }

    /// DeleteRole.
    pub fn remove_role(&mut self, arn: &str) {
        self.roles.remove(arn);
    }

    /// The role with an ARN.
    pub fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.get(arn)
    }

    /// CreateRoleAlias or UpdateRoleAlias.
    pub fn put_role_alias(&mut self, alias: RoleAlias) -> Result<(), Error> {
        // API reference, CreateRoleAlias: [\w=,@-]+, 1 to 128.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_=,@-".contains(c);
        if !(1..=128).contains(&alias.name.len()) || !alias.name.chars().all(allowed) {
            return Err(
                Refusal::invalid(format!("role alias {:?} does not match [\\w=,@-]{{1,128}}", alias.name)).into(),
            );
        }
        if !RoleAlias::DURATION_SECONDS.contains(&alias.duration_seconds) {
            return Err(Refusal::invalid("credentialDurationSeconds is outside 900 to 43200").into());
        }
        self.role_aliases.insert(alias.name.clone(), alias);
        Ok(())
    }

    /// DeleteRoleAlias.
    pub fn remove_role_alias(&mut self, name: &str) {
        self.role_aliases.remove(name);
    }

    /// One role alias.
    pub fn role_alias(&self, name: &str) -> Option<&RoleAlias> {
        self.role_aliases.get(name)
    }

    /// Every role alias.
    pub fn role_aliases(&self) -> impl Iterator<Item = &RoleAlias> {
        self.role_aliases.values()
    }
}
