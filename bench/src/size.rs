//! The size of a program on disk.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Returns the size of a file in bytes. The release profile strips symbols, so this is the size that is shipped.
///
/// # Errors
/// If there is no such file.
pub fn of(program: &Path) -> Result<u64> {
    Ok(fs::metadata(program)
        .with_context(|| format!("{} is not built", program.display()))?
        .len())
}
