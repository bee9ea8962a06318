//! The caller of a signed request.

use data_encoding::BASE32_NOPAD;
use ring::digest::{SHA256, digest};

use crate::access_keys::{AccessKey, Principal};

/// The caller of a signed request.
pub(super) struct Caller {
    pub(super) access_key_id: String,
    pub(super) arn: String,
    pub(super) account_id: String,
    pub(super) user_id: String,
    /// Whether all operations are allowed. A role's session may only ask for its identity: roles have no policies here.
    pub(super) is_administrator: bool,
}

impl Caller {
    pub(super) fn of(key: &AccessKey, account_id: &str) -> Self {
        let (arn, user_id) = match &key.principal {
            Principal::Administrator => (
                format!("arn:aws:iam::{account_id}:user/administrator"),
                unique_id("AIDA", "administrator"),
            ),
            Principal::RoleSession { role_arn, session_name } => {
                // A role's path is not part of its sessions' ARN (IAM User Guide, "IAM identifiers").
                let role = role_arn.rsplit_once('/').map_or(role_arn.as_str(), |(_, name)| name);
                (
                    format!("arn:aws:sts::{account_id}:assumed-role/{role}/{session_name}"),
                    format!("{}:{session_name}", unique_id("AROA", role_arn)),
                )
            }
        };
        Self {
            access_key_id: key.id.clone(),
            arn,
            account_id: account_id.to_owned(),
            user_id,
            is_administrator: key.principal == Principal::Administrator,
        }
    }
}

/// Returns the unique ID of a user (AIDA) or a role (AROA): the prefix and 17 characters, the same for the same name.
pub(super) fn unique_id(prefix: &str, name: &str) -> String {
    let hash = BASE32_NOPAD.encode(digest(&SHA256, name.as_bytes()).as_ref());
    format!("{prefix}{}", hash.chars().take(17).collect::<String>())
}
