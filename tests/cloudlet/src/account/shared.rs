//! The account and its lock.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use super::data::Account;
use super::file::AccountFile;
use crate::Error;

/// The account, shared by the front, the credentials provider and the owner of the cloudlet.
#[derive(Debug, Clone)]
pub struct SharedAccount {
    account: Arc<RwLock<Account>>,
    file: Option<Arc<AccountFile>>,
}

impl SharedAccount {
    /// Creates an account that is lost with the process.
    pub fn in_memory(account: Account) -> Self {
        Self {
            account: Arc::new(RwLock::new(account)),
            file: None,
        }
    }

    /// Loads the account from a file, or creates `new` if the file does not exist. Changes are written back.
    pub fn in_file(path: PathBuf, new: Account) -> Result<Self, Error> {
        let account = Arc::new(RwLock::new(AccountFile::read(&path)?.unwrap_or(new)));
        let file = AccountFile::open(path, account.clone())?;
        Ok(Self {
            account,
            file: Some(Arc::new(file)),
        })
    }

    /// Reads the account.
    pub fn read<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&self.account.read())
    }

    /// Changes the account. A change that fails half-way changes nothing. The file, if there is one, is written soon after; a failed write
    /// is reported by the next change.
    pub fn change<T>(&self, change: impl FnOnce(&mut Account) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(file) = &self.file {
            file.check()?;
        }
        let mut account = self.account.write();
        let mut changed = account.clone();
        let result = change(&mut changed)?;
        *account = changed;
        drop(account);
        if let Some(file) = &self.file {
            file.changed();
        }
        Ok(result)
    }

    /// Waits until all changes are in the file.
    pub(crate) fn flush(&self) {
        if let Some(file) = &self.file {
            file.flush();
        }
    }
}
