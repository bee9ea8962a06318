//! Defines the error that a caller gets without permission. It is independent of the protocol that the caller speaks.

use std::path::Path;

use super::missing_rule::missing_rule;
use super::permission::Permission;
use crate::local::caller::Caller;
use crate::user_accounts::UserAccounts;

/// The caller lacks a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessDeniedError {
    /// The reason.
    pub message: String,
    /// The next step.
    pub hint: String,
}

impl AccessDeniedError {
    /// Returns the error for a caller to whom no rule grants `permission`. The hint is the missing rule: `accounts` gives it the
    /// user's name, `thing` is this gateway's thing name, and `drop_ins` the folder that the rule can be added to.
    pub fn missing_rule(
        caller: &Caller,
        accounts: &UserAccounts,
        permission: Permission,
        thing: &str,
        drop_ins: &Path,
    ) -> Self {
        let Caller::Peer(peer) = caller else {
            return Self {
                message: format!("no [[access]] rule grants {caller} the {permission}"),
                hint: "the holder of a token has the permissions of its rule in gatepost's configuration".to_owned(),
            };
        };
        let unit = peer.unit.as_ref().map(|unit| format!(", {unit}")).unwrap_or_default();
        let (uid, gid) = (peer.uid, peer.gid);
        Self {
            message: format!("no [[access]] rule grants uid {uid} (gid {gid}{unit}) the {permission}"),
            hint: missing_rule(peer, accounts, permission, thing, drop_ins),
        }
    }

    /// Returns the error for a caller that is neither root nor the daemon's own user. `action` completes "CALLER may not".
    pub fn root_only(caller: &Caller, action: &str) -> Self {
        Self {
            message: format!("{caller} may not {action}"),
            hint: "run it as root, with sudo".to_owned(),
        }
    }

    /// Adds a remark to the message, if there is one.
    #[must_use]
    pub fn remark(mut self, remark: Option<&str>) -> Self {
        if let Some(remark) = remark {
            self.message = format!("{}; {remark}", self.message);
        }
        self
    }
}
