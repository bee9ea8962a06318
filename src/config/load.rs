//! Reads, merges and checks a configuration.

use std::path::Path;

use super::check::{self, Fault};
use super::error::ConfigError;
use super::files::{self, Draft};
use super::folders::Folders;
use super::settings::Config;

/// Reads, merges and checks the configuration whose main file is `path`.
///
/// # Errors
/// With all findings at once.
pub fn load(path: &Path, folders: &Folders) -> Result<Config, ConfigError> {
    load_with(path, None, folders, false)
}

/// Loads a configuration without using it, perhaps in the image of a machine that has never run. A value that only the
/// running machine knows (its machine ID) is a note and not a fault.
///
/// # Errors
/// With all findings at once.
pub fn examine(path: &Path, folders: &Folders) -> Result<Config, ConfigError> {
    examine_with(path, None, folders)
}

/// Does what [`examine`] does, as if `draft` were one more file in `conf.d`.
///
/// # Errors
/// With all findings at once.
pub fn examine_with(path: &Path, draft: Option<&Draft>, folders: &Folders) -> Result<Config, ConfigError> {
    load_with(path, draft, folders, true)
}

fn load_with(
    path: &Path,
    draft: Option<&Draft>,
    folders: &Folders,
    is_only_examined: bool,
) -> Result<Config, ConfigError> {
    let loaded = files::load(path, draft).map_err(|faults| ConfigError::of_files(&faults))?;
    let messages = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.message).collect();
    check::check(loaded, folders, is_only_examined).map_err(|faults| ConfigError::new(messages(faults)))
}
