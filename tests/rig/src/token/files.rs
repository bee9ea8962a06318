//! Files that every token needs: the module and the PIN file.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Finds a module below `/usr/lib`, whose middle part is the machine's multiarch triplet.
pub(super) fn find_module(name: &str, package: &str) -> Result<PathBuf> {
    let multiarch = fs::read_dir("/usr/lib")?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let found = multiarch.map(|folder| folder.join(name)).find(|module| module.exists());
    found
        .with_context(|| format!("/usr/lib/*/{name} is missing: run `make setup-test`, or `apt-get install {package}`"))
}

/// Writes `pin` to a file that only its owner can read.
pub(super) fn write_pin_file(path: &Path, pin: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    std::io::Write::write_all(&mut file, format!("{pin}\n").as_bytes())?;
    Ok(())
}
