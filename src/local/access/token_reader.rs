//! Defines the reader of a token file, and the recipient that a token is created for.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::Selectors;

/// The reader of a token file, besides gatepost and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenReader {
    /// This user.
    User(u32),
    /// This group.
    Group(u32),
    /// Nobody. File permissions cannot express a rule with several selectors or with a unit, so systemd must pass the
    /// file to the service (`LoadCredential=`).
    Nobody,
}

impl fmt::Display for TokenReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(f, "user {uid}"),
            Self::Group(gid) => write!(f, "group {gid}"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// The processes that a token is created for.
#[derive(Clone, Debug)]
pub struct TokenRecipient {
    /// Selectors of the rule.
    pub selectors: Arc<Selectors>,
    /// The reader of the token's file.
    pub reader: TokenReader,
    /// The administrator's own token file, if the rule names one.
    pub token_file: Option<PathBuf>,
}
