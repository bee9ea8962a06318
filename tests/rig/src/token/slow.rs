//! A token that needs as long as a TPM for each signature.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::interface::Token;
use super::softhsm::SoftHsm;
use crate::command::shared_library;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/slow_signer.c");

/// SoftHSM behind a module that delays C_Sign.
pub struct SlowSigner {
    inner: SoftHsm,
    delay: Duration,
    module: PathBuf,
    _folder: TempDir,
}

impl SlowSigner {
    /// Compiles the module, which forwards all calls to `inner`.
    ///
    /// # Errors
    /// If there is no C compiler.
    pub fn new(inner: SoftHsm, delay: Duration) -> Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the slow module")?;
        let module = shared_library(SOURCE, folder.path())?;
        Ok(Self {
            inner,
            delay,
            module,
            _folder: folder,
        })
    }
}

impl Token for SlowSigner {
    fn module(&self) -> &Path {
        &self.module
    }

    fn env(&self) -> Vec<(String, String)> {
        let mut env = self.inner.env();
        env.push((
            "SLOW_SIGNER_MODULE".to_owned(),
            self.inner.module().display().to_string(),
        ));
        env.push(("SLOW_SIGNER_MILLIS".to_owned(), self.delay.as_millis().to_string()));
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
