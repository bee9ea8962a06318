//! Main loop of the store's thread.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::batch::{commit, run_batch};
use super::job::Job;
use super::{open, recovery, upkeep};
use crate::messages::context::StoreContext;
use crate::messages::database::Database;
use crate::messages::store::error::{StoreError, describe, is_corrupt};

/// Jobs in one batch.
const MAX_BATCH: usize = 256;
/// Deletes of acknowledged messages are deferred to the next commit, or for this time, or until there are so many. After a
/// kill before that, the messages are sent again.
const DEFER_TIME: Duration = Duration::from_millis(500);
pub(in crate::messages) const MAX_DEFERRED: usize = 50;
/// Between two steps of upkeep, so that jobs can use the disk.
const UPKEEP_PAUSE: Duration = Duration::from_millis(50);
/// After a failed step of upkeep, usually because the disk is full.
const UPKEEP_RETRY: Duration = Duration::from_secs(60);
/// Between two attempts to use a database that has failed.
const RETRY: Duration = Duration::from_secs(5);

/// Runs jobs until all handles are dropped. Opens the database again when it is corrupt or cannot be opened.
pub(super) async fn run(path: PathBuf, mut context: Box<StoreContext>, mut queue: mpsc::Receiver<Job>) {
    loop {
        match open::open(&path, context) {
            Ok(mut database) => match serve(&path, &mut database, &mut queue).await {
                End::Corrupt => {
                    recovery::save(&mut database);
                    context = database.close();
                }
                End::HandlesDropped => return drop(database.close()),
            },
            Err((error, returned)) => {
                context = returned;
                context.report_failure(&error.problem);
                if !refuse_jobs(&error, &mut queue).await {
                    return;
                }
            }
        }
    }
}

/// Why `serve` ends.
enum End {
    Corrupt,
    HandlesDropped,
}

/// Times at which work is due without a job.
#[derive(Default)]
struct Timers {
    /// Deferred deletes.
    deletes: Option<Instant>,
    /// Whether the last attempt at the deferred deletes failed.
    deletes_failed: bool,
    upkeep: Option<Instant>,
    /// Test of a store that has failed: there may be no job that would find that it works again.
    test: Option<Instant>,
}

impl Timers {
    fn next(&self) -> Option<Instant> {
        self.deletes.into_iter().chain(self.upkeep).chain(self.test).min()
    }
}

async fn serve(path: &Path, database: &mut Database, queue: &mut mpsc::Receiver<Job>) -> End {
    let mut timers = Timers::default();
    loop {
        if database.context.recovery.pending {
            match commit(database, true, recovery::restore) {
                Ok(()) => database.context.recovery.pending = false,
                Err(error) => log::debug!("messages: the state of the corrupt database is not restored: {error}"),
            }
        }
        if timers.upkeep.is_none() && upkeep::is_needed(database) {
            timers.upkeep = Some(Instant::now() + UPKEEP_PAUSE);
        }
        timers.test = database
            .has_failed()
            .then(|| timers.test.unwrap_or(Instant::now() + RETRY));
        let Some(jobs) = receive_batch(queue, timers.next()).await else {
            let _ = commit(database, false, |_| Ok(()));
            return End::HandlesDropped;
        };
        if !jobs.is_empty() && !run_batch(path, database, jobs) {
            return End::Corrupt;
        }
        if !run_due(path, database, &mut timers) {
            return End::Corrupt;
        }
    }
}

/// Waits for a job or the deadline, then receives what is in the queue. `None` if all handles are dropped.
async fn receive_batch(queue: &mut mpsc::Receiver<Job>, deadline: Option<Instant>) -> Option<VecDeque<Job>> {
    let first = match deadline {
        Some(deadline) => timeout_at(deadline, queue.recv()).await,
        None => Ok(queue.recv().await),
    };
    let mut jobs = VecDeque::new();
    if let Ok(job) = first {
        jobs.push_back(job?);
    }
    while jobs.len() < MAX_BATCH
        && let Ok(job) = queue.try_recv()
    {
        jobs.push_back(job);
    }
    Some(jobs)
}

/// Runs the work that is due without a job. Jobs may arrive without a pause, and none of them may write, so this is checked
/// after each batch. Returns false if the database is corrupt.
fn run_due(path: &Path, database: &mut Database, timers: &mut Timers) -> bool {
    let now = Instant::now();
    let is_due = |timer: Option<Instant>| timer.is_some_and(|timer| timer <= now);
    if is_due(timers.deletes) || (database.deferred_deletes() >= MAX_DEFERRED && !timers.deletes_failed) {
        if !run_batch(path, database, VecDeque::new()) {
            return false;
        }
        timers.deletes_failed = database.deferred_deletes() > 0;
        timers.deletes = None;
    }
    timers.deletes = (database.deferred_deletes() > 0).then(|| timers.deletes.unwrap_or(now + DEFER_TIME));
    if is_due(timers.test) {
        timers.test = None;
        if !run_batch(path, database, [Job::test_write()].into()) {
            return false;
        }
    }
    if is_due(timers.upkeep) {
        timers.upkeep = match commit(database, false, upkeep::run_step) {
            Ok(()) => None,
            Err(error) if is_corrupt(&error) => return false,
            Err(error) => {
                log::debug!("messages: upkeep: {}", describe(&error));
                Some(now + UPKEEP_RETRY)
            }
        };
        upkeep::finish(database);
    }
    true
}

/// Answers all jobs with the error for a while. Returns false if all handles are dropped.
async fn refuse_jobs(error: &StoreError, queue: &mut mpsc::Receiver<Job>) -> bool {
    let until = Instant::now() + RETRY;
    // Jobs may arrive without a pause.
    while Instant::now() < until {
        match timeout_at(until, queue.recv()).await {
            Ok(Some(job)) => job.refuse(error.clone()),
            Ok(None) => return false,
            Err(_) => break,
        }
    }
    true
}
