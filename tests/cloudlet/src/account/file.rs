//! The account's file. A separate thread writes the latest state, and after each write pauses for ten times as long as the write took. So a
//! thousand devices that are provisioned at once cause a few writes, not thousands, and a large account uses no more of a processor than a
//! small one. A kill -9 loses the last moments.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock};

use super::data::Account;
use crate::Error;

/// The pause before the next write, as a multiple of the duration of the last one.
const REST: u32 = 10;
const LEAST_REST: Duration = Duration::from_millis(20);

/// The file and its thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct AccountFile(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The number of changes, and the number of those that are in the file.
    changes: u64,
    written: u64,
    failed: Option<String>,
    /// The number of threads that wait until all changes are written.
    flushing: usize,
    closed: bool,
}

impl AccountFile {
    /// Reads the account from a file, if the file exists.
    pub(super) fn read(path: &Path) -> Result<Option<Account>, Error> {
        match std::fs::read(path) {
            Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|error| {
                let path = path.display();
                Error::Account(format!(
                    "{path} is not an account of this version ({error}); remove it to begin anew"
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format!("reading {}", path.display()))(error)),
        }
    }

    /// Writes the file once, so that a read-only folder is noticed, and then whenever the account changes.
    pub(super) fn open(path: PathBuf, account: Arc<RwLock<Account>>) -> Result<Self, Error> {
        write_whole(&path, &account.read())?;
        let progress = Arc::new(Progress::default());
        let (watched, account) = (progress.clone(), Arc::downgrade(&account));
        std::thread::Builder::new()
            .name("cloudlet-account".to_owned())
            .spawn(move || watched.keep(&path, &account))
            .map_err(Error::io("starting the account's thread"))?;
        Ok(Self(progress))
    }

    pub(super) fn changed(&self) {
        self.0.state.lock().changes += 1;
        self.0.moved.notify_all();
    }

    /// Returns whether the last write succeeded.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.0.state.lock().failed {
            Some(failed) => Err(Error::Account(failed.clone())),
            None => Ok(()),
        }
    }

    pub(super) fn flush(&self) {
        let mut state = self.0.state.lock();
        state.flushing += 1;
        self.0.moved.notify_all();
        while state.written < state.changes && state.failed.is_none() {
            self.0.moved.wait(&mut state);
        }
        state.flushing -= 1;
    }
}

impl Drop for AccountFile {
    fn drop(&mut self) {
        self.flush();
        self.0.state.lock().closed = true;
        self.0.moved.notify_all();
    }
}

impl Progress {
    fn keep(&self, path: &Path, account: &Weak<RwLock<Account>>) {
        let mut not_before = Instant::now();
        loop {
            let mut state = self.state.lock();
            while state.written == state.changes && !state.closed {
                self.moved.wait(&mut state);
            }
            while state.flushing == 0 && !state.closed {
                if self.moved.wait_until(&mut state, not_before).timed_out() {
                    break;
                }
            }
            let changes = state.changes;
            if state.closed {
                return;
            }
            drop(state);
            let Some(account) = account.upgrade() else {
                return;
            };
            let began = Instant::now();
            // Copied, so that nobody has to wait for the disk.
            let snapshot = account.read().clone();
            let written = write_whole(path, &snapshot);
            not_before = Instant::now() + (REST * began.elapsed()).max(LEAST_REST);
            let mut state = self.state.lock();
            state.written = changes;
            state.failed = written.err().map(|error| error.to_string());
            self.moved.notify_all();
        }
    }
}

/// Writes the file atomically: a kill between the two steps leaves the old file. Only its owner may read it, because it contains the
/// administrator's access key.
fn write_whole(path: &Path, account: &Account) -> Result<(), Error> {
    let writing = || format!("writing {}", path.display());
    let json = serde_json::to_vec_pretty(account).map_err(|error| Error::Account(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(Error::io(writing()))?;
    new.write_all(&json).map_err(Error::io(writing()))?;
    new.persist(path).map_err(|error| Error::io(writing())(error.error))?;
    Ok(())
}
