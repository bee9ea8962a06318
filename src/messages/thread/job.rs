//! Jobs for the store's thread.

use crate::messages::database::Database;
use crate::messages::store::error::StoreError;
use crate::problem::Problem;

/// The durability of a job's changes: whether a power cut may undo them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::messages) enum Durability {
    /// Reads, or changes only the state in memory.
    ReadOnly,
    /// Writes; a power cut may undo it.
    Unsynced,
    /// Writes; the outcome is reported once no power cut can undo it.
    Synced,
    /// As `Synced`, and needs disk space: it is not tried on a full disk.
    SyncedInsert,
}

/// Reports the outcome of a job once it is committed.
pub(super) type Report = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs on the database, or is told why there is none.
pub(super) type Work = Box<dyn FnOnce(Result<&mut Database, StoreError>) -> (rusqlite::Result<()>, Report) + Send>;

/// A job for the store's thread.
pub(super) struct Job {
    pub(super) durability: Durability,
    pub(super) work: Work,
}

impl Job {
    /// Makes a small write that shows whether a store that has failed works again.
    pub(super) fn test_write() -> Self {
        Self {
            durability: Durability::Synced,
            work: Box::new(|database| {
                let outcome = database.map_or(Ok(()), Database::test_write);
                (outcome, Box::new(|_| {}))
            }),
        }
    }

    /// Reports to the caller that the job is not run.
    pub(super) fn refuse(self, error: StoreError) {
        let (_, report) = (self.work)(Err(error));
        report(Ok(()));
    }
}

/// Returns the error of a job that the store will not run because it has ended.
pub(super) fn store_ended() -> StoreError {
    Problem::wait("gatepost is shutting down, or its message store has ended").into()
}
