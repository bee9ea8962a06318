//! The account behind its lock, and its file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use super::Account;
use crate::Error;

/// The one account, shared by the front, the credentials provider and whoever drives the cloudlet.
#[derive(Debug, Clone)]
pub struct SharedAccount {
    account: Arc<RwLock<Account>>,
    file: Option<Arc<PathBuf>>,
}

impl SharedAccount {
    /// An account that is forgotten with the process.
    pub fn in_memory(account: Account) -> Self {
        Self {
            account: Arc::new(RwLock::new(account)),
            file: None,
        }
    }

    /// The account a file holds, or `new` if there is no such file; every change is written back.
    pub fn in_file(file: PathBuf, new: Account) -> Result<Self, Error> {
        let account = match std::fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|error| Error::Account(format!("{} cannot be read: {error}", file.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => new,
            Err(error) => return Err(Error::io(format!("reading {}", file.display()))(error)),
        };
        let shared = Self {
            account: Arc::new(RwLock::new(account)),
            file: Some(Arc::new(file)),
        };
        shared.change(|_| Ok(()))?;
        Ok(shared)
    }

    /// Looks at the account.
    pub fn read<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&self.account.read())
    }

    /// Changes the account, and writes it to its file if it has one. A change that fails half-way changes nothing.
    pub fn change<T>(&self, change: impl FnOnce(&mut Account) -> Result<T, Error>) -> Result<T, Error> {
        let mut account = self.account.write();
        let mut changed = account.clone();
        let result = change(&mut changed)?;
        if let Some(file) = &self.file {
            write_whole(file, &changed)?;
        }
        *account = changed;
        Ok(result)
    }
}

/// Whole or not at all: a kill between the two steps leaves the old file.
fn write_whole(file: &Path, account: &Account) -> Result<(), Error> {
    let writing = || format!("writing {}", file.display());
    let json = serde_json::to_vec_pretty(account).map_err(|error| Error::Account(error.to_string()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(writing()))?;
    new.write_all(&json).map_err(Error::io(writing()))?;
    new.persist(file).map_err(|error| Error::io(writing())(error.error))?;
    Ok(())
}
