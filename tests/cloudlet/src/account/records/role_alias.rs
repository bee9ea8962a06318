//! Role aliases, by which devices refer to roles.

use serde::{Deserialize, Serialize};

use crate::account::time::{EpochSeconds, now};

/// A name for a role whose credentials devices may request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleAlias {
    /// Its name: `[\w=,@-]{1,128}`.
    pub name: String,
    /// The ARN of its role, which need not exist.
    pub role_arn: String,
    /// credentialDurationSeconds.
    pub duration_seconds: u64,
    /// When it was created.
    pub created: EpochSeconds,
    /// When it was last changed.
    pub modified: EpochSeconds,
}

impl RoleAlias {
    /// The values that CreateRoleAlias accepts for credentialDurationSeconds (developer guide, authorizing-direct-aws).
    pub const DURATION_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;

    /// The default of credentialDurationSeconds.
    pub const DEFAULT_DURATION_SECONDS: u64 = 3600;

    /// Creates an alias with the default duration.
    pub fn new(name: impl Into<String>, role_arn: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            role_arn: role_arn.into(),
            duration_seconds: Self::DEFAULT_DURATION_SECONDS,
            created: now(),
            modified: now(),
        }
    }

    /// Sets the duration.
    pub fn lasting(mut self, seconds: u64) -> Self {
        self.duration_seconds = seconds;
        self
    }
}
