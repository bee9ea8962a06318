//! The thread that owns the database. Other threads send it jobs, and may wait for their outcome.

mod batch;
pub(super) mod job;
mod open;
mod recovery;
mod replaced_file;
pub(super) mod serve;
#[cfg(test)]
mod tests;
mod upkeep;

use std::io;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use self::job::{Durability, Job, Work, store_ended};
use super::context::StoreContext;
use super::database::Database;
use super::store::error::StoreError;

/// Jobs that wait; a caller with a further one waits until it is accepted.
const MAX_QUEUED_JOBS: usize = 64;

/// Closes when the store's thread ends.
pub type EndSignal = std::sync::mpsc::Receiver<()>;

/// Handle of the store's thread.
#[derive(Clone)]
pub(super) struct Store {
    jobs: mpsc::Sender<Job>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Starts the thread with the database at `path`. When all handles are dropped, the thread writes everything and ends, and
    /// the returned channel closes.
    pub(super) fn spawn(path: PathBuf, context: Box<StoreContext>) -> io::Result<(Self, EndSignal)> {
        let (store, queue) = Self::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (alive, ended) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("messages".into()).spawn(move || {
            let _alive = alive;
            runtime.block_on(serve::run(path, context, queue));
        })?;
        Ok((store, ended))
    }

    /// Makes a store without a thread. Its work is a future for the caller's own runtime, which then waits for the disk. The
    /// future ends when all handles are dropped and everything is written.
    pub(super) fn with_work(path: PathBuf, context: Box<StoreContext>) -> (Self, EndSignal, impl Future<Output = ()>) {
        let (store, queue) = Self::new();
        let (alive, ended) = std::sync::mpsc::channel();
        let work = async move {
            let _alive = alive;
            serve::run(path, context, queue).await;
        };
        (store, ended, work)
    }

    fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, queue) = mpsc::channel(MAX_QUEUED_JOBS);
        (Self { jobs }, queue)
    }

    /// Runs `work` on the database, and waits for its outcome.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&mut Database) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let outcome = self.start(durability, work).await?;
        outcome.await.map_err(|_| store_ended())?
    }

    /// Runs `work` on the database. The channel receives the outcome, so that the caller may interrupt and resume waiting.
    ///
    /// # Errors
    /// If the store has ended.
    pub(super) async fn start<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&mut Database) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, StoreError>>, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let work: Work = Box::new(move |database| {
            let (done, value) = match database.map(work) {
                Ok(Ok(value)) => (Ok(()), Ok(value)),
                Ok(Err(error)) => (Err(error), Err(store_ended())),
                Err(error) => (Ok(()), Err(error)),
            };
            let report = move |committed: Result<(), StoreError>| drop(reply.send(committed.and(value)));
            (done, Box::new(report))
        });
        self.jobs
            .send(Job { durability, work })
            .await
            .map_err(|_| store_ended())?;
        Ok(outcome)
    }
}
