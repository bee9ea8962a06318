//! A token with faults and peculiarities of real tokens, each enabled by a keyword.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::interface::Token;
use super::softhsm::SoftHsm;
use crate::command::shared_library;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/token_quirks.c");

/// SoftHSM behind a module that misbehaves on demand. The keywords are listed in `token_quirks.c`.
pub struct Quirks {
    inner: SoftHsm,
    module: PathBuf,
    folder: TempDir,
}

impl Quirks {
    /// Compiles the module. No quirk is enabled yet.
    ///
    /// # Errors
    /// If there is no C compiler.
    pub fn new(inner: SoftHsm) -> Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the module with quirks")?;
        let module = shared_library(SOURCE, folder.path())?;
        Ok(Self { inner, module, folder })
    }

    /// Returns the token without quirks and log.
    #[must_use]
    pub fn inner(&self) -> &SoftHsm {
        &self.inner
    }

    /// Replaces the enabled quirks and empties the log.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set(&self, quirks: &[&str]) -> Result<()> {
        fs::write(self.log_file(), "")?;
        Ok(fs::write(self.quirks_file(), quirks.join("\n"))?)
    }

    /// Returns the number of calls in the log that begin with `call`, such as `C_Login user`.
    ///
    /// # Errors
    /// If there is no log.
    pub fn calls(&self, call: &str) -> Result<usize> {
        let log = fs::read_to_string(self.log_file())?;
        Ok(log.lines().filter(|line| line.starts_with(call)).count())
    }

    fn quirks_file(&self) -> PathBuf {
        self.folder.path().join("quirks")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("calls")
    }
}

impl Token for Quirks {
    fn module(&self) -> &Path {
        &self.module
    }

    fn env(&self) -> Vec<(String, String)> {
        let mut env = self.inner.env();
        env.extend([
            (
                "TOKEN_QUIRKS_MODULE".to_owned(),
                self.inner.module().display().to_string(),
            ),
            ("TOKEN_QUIRKS_FILE".to_owned(), self.quirks_file().display().to_string()),
            ("TOKEN_QUIRKS_LOG".to_owned(), self.log_file().display().to_string()),
        ]);
        env
    }

    fn label(&self) -> &str {
        self.inner.label()
    }

    fn pin(&self) -> &str {
        self.inner.pin()
    }

    fn pin_file(&self) -> &Path {
        self.inner.pin_file()
    }
}
