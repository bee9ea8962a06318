//! The openssl command.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command;

/// Runs openssl in `folder`, with arguments that are split at spaces, then arguments that may contain spaces.
pub(super) fn openssl(folder: &Path, words: &str, last: &[&Path]) -> Result<String> {
    let mut openssl: Command = command::command("openssl");
    openssl.current_dir(folder).args(words.split_whitespace()).args(last);
    command::run(&mut openssl, "openssl")
}
