//! Status fields of the credentials files.

use std::path::PathBuf;

use serde::Serialize;

use super::details::Details;

impl Details for CredentialsFilesDetails {}

/// Status fields of the credentials files besides their phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CredentialsFilesDetails {
    /// Each configured file.
    pub files: Vec<CredentialsFileDetails>,
    /// How often the files were compared with the credentials, and written or removed where they differed, since start.
    pub attempts: u64,
}

/// A configured credentials file.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialsFileDetails {
    /// Its path.
    pub path: PathBuf,
    /// The role alias of its credentials.
    pub role_alias: String,
    /// The user or the group that can read it, such as `user camera`.
    pub owner: String,
    /// Its format.
    pub format: &'static str,
    /// Whether it is as it should be.
    pub state: CredentialsFileState,
    /// Expiration of the credentials in it, RFC 3339; `None` if there are none.
    pub expiration: Option<String>,
    /// Why it was not written, or not removed.
    pub problem: Option<String>,
    /// The next step against the problem.
    pub next_step: Option<String>,
}

/// The state of a credentials file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialsFileState {
    /// It has the newest credentials.
    Written,
    /// It does not exist, because its role alias has no valid credentials.
    NoCredentials,
    /// It could not be written or removed. Until they expire, older credentials stay in it.
    Failed,
}
