//! Stops one thread of a program under test, like a hang in a library.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::shared_library;
use crate::wait;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/thread_stopper.c");

/// A library that the program is to be started with.
#[derive(Debug)]
pub struct ThreadStopper {
    folder: TempDir,
    library: PathBuf,
}

impl ThreadStopper {
    /// Compiles the library.
    ///
    /// # Errors
    /// If there is no C compiler.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the thread stopper")?;
        let library = shared_library(SOURCE, folder.path())?;
        Ok(Self { folder, library })
    }

    /// Returns the variables that the program must be started with.
    #[must_use]
    pub fn env(&self) -> [(String, String); 2] {
        [
            ("LD_PRELOAD".to_owned(), self.library.display().to_string()),
            ("THREAD_STOPPER_FILE".to_owned(), self.order().display().to_string()),
        ]
    }

    /// Stops the thread with this name permanently.
    ///
    /// # Errors
    /// If the program does not get the order within `timeout`.
    pub fn stop(&self, timeout: Duration, thread: &str) -> Result<()> {
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, thread)?;
        std::fs::rename(draft, self.order())?;
        wait::until(timeout, "the stop of a thread", || !self.order().exists())
    }

    fn order(&self) -> PathBuf {
        self.folder.path().join("order")
    }
}
