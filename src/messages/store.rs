//! The thread that owns the database. Everybody else hands it jobs and waits for their outcome, or does not wait.
//!
//! Group commit: while one commit is being synced, jobs pile up, and all of them are the next commit. A job's outcome is told
//! when it is on the disk, not before.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::context::StoreContext;
use super::database::Database;
use super::file::{self, StoreError, Unusable};
use super::reserve::MOST_AT_ONCE;
use crate::problem::Problem;

/// Jobs that wait; who comes after them waits for a place.
const QUEUE: usize = 64;
/// Jobs in one commit.
const GROUP: usize = 256;
/// What is not urgent (that a message was acknowledged) is written with the next commit, after this time, or when it is so
/// much: a kill before that sends the messages again.
const LAZINESS: Duration = Duration::from_millis(500);
pub(super) const MOST_LAZY: usize = 50;
/// Between two turns of upkeep, which leave the disk to others.
const UPKEEP_PAUSE: Duration = Duration::from_millis(50);
/// The same where a turn has failed: the disk is full, as a rule.
const UPKEEP_PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries to open a database that cannot be opened.
const RETRY: Duration = Duration::from_secs(5);

/// How much a job's outcome is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// It reads, or changes what is in memory alone.
    Reads,
    /// It writes; a loss of power may undo it.
    Writes,
    /// It writes, and its outcome is told once no loss of power can undo it.
    Lasts,
    /// The same, and it needs room: on a full disk it is not even tried.
    Adds,
}

/// Closes with the thread.
pub type Ending = std::sync::mpsc::Receiver<()>;

type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Done with the books, or told why they cannot be had.
type Work = Box<dyn FnOnce(Result<&mut Database, StoreError>) -> (rusqlite::Result<()>, Tell) + Send>;

struct Job {
    care: Durability,
    work: Work,
}

impl Job {
    /// A small write, which shows whether a store that has failed works again.
    fn trial() -> Self {
        Self {
            care: Durability::Lasts,
            work: Box::new(|database| {
                let outcome = database.map_or(Ok(()), Database::note_trial);
                (outcome, Box::new(|_| {}))
            }),
        }
    }
}

/// Where jobs are handed in.
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
    /// Starts the thread with the database at `path`. It ends when all handles are dropped, with everything written, and the
    /// channel returned closes.
    pub(super) fn spawn(path: PathBuf, context: Box<StoreContext>) -> io::Result<(Self, Ending)> {
        let (store, queue) = Self::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (alive, ending) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("messages".into()).spawn(move || {
            let _alive = alive;
            runtime.block_on(keep(path, context, queue));
        })?;
        Ok((store, ending))
    }

    /// Makes the store's work a future for the caller's own runtime, which waits for the disk then. It ends when all handles are
    /// dropped, with everything written.
    pub(super) fn with_work(path: PathBuf, context: Box<StoreContext>) -> (Self, Ending, impl Future<Output = ()>) {
        let (store, queue) = Self::new();
        let (alive, ending) = std::sync::mpsc::channel();
        let work = async move {
            let _alive = alive;
            keep(path, context, queue).await;
        };
        (store, ending, work)
    }

    fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        (Self { jobs }, queue)
    }

    /// Has `work` done, and waits for its outcome.
    ///
    /// # Errors
    /// When the database cannot be used, with why.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        care: Durability,
        work: impl FnOnce(&mut Database) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let outcome = self.start(care, work).await?;
        outcome.await.map_err(|_| ended())?
    }

    /// Has `work` done; the outcome comes by itself, so that waiting for it can be given up and taken up again.
    pub(super) async fn start<T: Send + 'static>(
        &self,
        care: Durability,
        work: impl FnOnce(&mut Database) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, StoreError>>, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let work: Work = Box::new(move |database| {
            let (done, value) = match database.map(work) {
                Ok(Ok(value)) => (Ok(()), Ok(value)),
                Ok(Err(error)) => (Err(error), Err(ended())),
                Err(failure) => (Ok(()), Err(failure)),
            };
            let tell = move |committed: Result<(), StoreError>| drop(reply.send(committed.and(value)));
            (done, Box::new(tell))
        });
        self.jobs.send(Job { care, work }).await.map_err(|_| ended())?;
        Ok(outcome)
    }
}

fn ended() -> StoreError {
    Problem::wait("gatepost is ending, or its message store has").into()
}

/// The thread.
async fn keep(path: PathBuf, mut context: Box<StoreContext>, mut queue: mpsc::Receiver<Job>) {
    loop {
        match open_with_reserve(&path, context) {
            Ok(mut database) => match serve(&path, &mut database, &mut queue).await {
                Ended::Broken => {
                    database.hand_over();
                    context = database.close();
                }
                Ended::NobodyLeft => return drop(database.close()),
            },
            Err((failure, kept)) => {
                context = kept;
                context.failed(&failure.problem);
                if !refuse_for_a_while(&failure, &mut queue).await {
                    return;
                }
            }
        }
    }
}

/// Opens the database. On a full disk that can take what is held in reserve: an older schema is brought to today's by writing.
fn open_with_reserve(path: &Path, context: Box<StoreContext>) -> Result<Database, (StoreError, Box<StoreContext>)> {
    open_twice_at_most(context, |keeper| open(path, keeper), || file::reserve(path).release())
}

fn open_twice_at_most<K, B>(
    context: K,
    open: impl Fn(K) -> Result<B, (StoreError, K)>,
    release: impl FnOnce(),
) -> Result<B, (StoreError, K)> {
    match open(context) {
        Err((failure, context)) if failure.disk_full => {
            release();
            open(context)
        }
        outcome => outcome,
    }
}

/// Opens the database; one that is broken is set aside, and a new one begun.
fn open(path: &Path, context: Box<StoreContext>) -> Result<Database, (StoreError, Box<StoreContext>)> {
    let (unusable, mut context) = match try_to_open(path, context) {
        Ok(database) => return Ok(database),
        Err(why) => why,
    };
    let error = match unusable {
        Unusable::Not(failure) => return Err((failure, context)),
        Unusable::Broken(error) => error,
    };
    match file::set_aside(path, context.now()) {
        Ok(aside) => context.was_set_aside(path, &aside, &error),
        Err(moving) => {
            let message = format!(
                "{} is broken ({}) and cannot be set aside: {moving}",
                path.display(),
                file::brief(&error)
            );
            return Err((Problem::wait(message).into(), context));
        }
    }
    try_to_open(path, context).map_err(|(unusable, context)| match unusable {
        Unusable::Not(failure) => (failure, context),
        Unusable::Broken(error) => (file::cannot(path, &error), context),
    })
}

fn try_to_open(path: &Path, context: Box<StoreContext>) -> Result<Database, (Unusable, Box<StoreContext>)> {
    let database = match file::open(path) {
        Ok(database) => database,
        Err(unusable) => return Err((unusable, context)),
    };
    match Database::read(database, file::reserve(path), context) {
        Ok(mut database) => {
            database.is_new_here(path);
            Ok(database)
        }
        Err((error, context)) if file::is_broken(&error) => Err((Unusable::Broken(error), context)),
        Err((error, context)) => Err((Unusable::Not(file::cannot(path, &error)), context)),
    }
}

/// Why jobs are not done any more.
enum Ended {
    Broken,
    NobodyLeft,
}

async fn serve(path: &Path, database: &mut Database, queue: &mut mpsc::Receiver<Job>) -> Ended {
    // When the lazy work's turn is at the latest, and whether it could not be done the last time.
    let (mut due, mut in_vain) = (None, false);
    let mut upkeep = None;
    // When a store that has failed is tried again, because nobody else may come who would find that it works.
    let mut trial: Option<Instant> = None;
    loop {
        if database.context.owed {
            match commit(database, Durability::Lasts, Database::take_over) {
                Ok(()) => database.context.owed = false,
                Err(error) => log::debug!("messages: what is known of the broken database is not noted: {error}"),
            }
        }
        if upkeep.is_none() && database.needs_upkeep() {
            upkeep = Some(Instant::now() + UPKEEP_PAUSE);
        }
        trial = database.has_failed().then(|| trial.unwrap_or(Instant::now() + RETRY));
        let first = match due.into_iter().chain(upkeep).chain(trial).min() {
            Some(due) => timeout_at(due, queue.recv()).await,
            None => Ok(queue.recv().await),
        };
        let mut jobs = VecDeque::new();
        match first {
            Ok(Some(job)) => jobs.push_back(job),
            Ok(None) => {
                let _ = commit(database, Durability::Writes, |_| Ok(()));
                return Ended::NobodyLeft;
            }
            Err(_) => {}
        }
        while jobs.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            jobs.push_back(job);
        }
        if !jobs.is_empty() && !work_off(path, database, jobs) {
            return Ended::Broken;
        }
        // Jobs may come without a pause, and none of them write.
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) || (database.lazy_work() >= MOST_LAZY && !in_vain) {
            if !work_off(path, database, VecDeque::new()) {
                return Ended::Broken;
            }
            in_vain = database.lazy_work() > 0;
            due = None;
        }
        due = (database.lazy_work() > 0).then(|| due.unwrap_or(now + LAZINESS));
        if trial.is_some_and(|trial| trial <= now) {
            trial = None;
            if !work_off(path, database, [Job::trial()].into()) {
                return Ended::Broken;
            }
        }
        if upkeep.is_some_and(|upkeep| upkeep <= now) {
            upkeep = match commit(database, Durability::Writes, Database::upkeep) {
                Ok(()) => None,
                Err(error) if file::is_broken(&error) => return Ended::Broken,
                Err(error) => {
                    log::debug!("messages: upkeep: {}", file::brief(&error));
                    Some(now + UPKEEP_PATIENCE)
                }
            };
            database.end_upkeep();
        }
    }
}

/// Does a group of jobs: those that write as one commit, then those that read. False when the database is broken.
fn work_off(path: &Path, database: &mut Database, jobs: VecDeque<Job>) -> bool {
    database.context.take_bounds();
    let (reads, mut writes): (VecDeque<Job>, VecDeque<Job>) =
        jobs.into_iter().partition(|job| job.care == Durability::Reads);
    let (mut whole, mut last) = (true, None);
    let mut all_told: Vec<(Tell, Result<(), StoreError>)> = Vec::new();
    if writes.iter().any(|job| job.care == Durability::Adds) && !has_room_now(database) {
        let adds: VecDeque<Job>;
        (adds, writes) = writes.into_iter().partition(|job| job.care == Durability::Adds);
        let full = file::full(path);
        all_told.extend(adds.into_iter().map(|job| ((job.work)(Err(full.clone())).1, Ok(()))));
    }
    // Without any job it is the lazy work's turn. A job that fails takes those before it along, and not those behind it.
    let mut once = reads.is_empty() && writes.is_empty() && all_told.is_empty();
    while whole && (std::mem::take(&mut once) || !writes.is_empty()) {
        let lasts = writes.iter().any(|job| job.care != Durability::Writes);
        let mut told: Vec<Tell> = Vec::new();
        let outcome = commit(
            database,
            if lasts { Durability::Lasts } else { Durability::Writes },
            |database| {
                while database.added() < MOST_AT_ONCE
                    && let Some(job) = writes.pop_front()
                {
                    let (outcome, tell) = (job.work)(Ok(database));
                    told.push(tell);
                    outcome?;
                }
                Ok(())
            },
        );
        let outcome = outcome.map_err(|error| {
            whole = !file::is_broken(&error);
            let failure = file::cannot(path, &error);
            if failure.disk_full {
                database.release_reserve();
            }
            database.context.failed(&failure.problem);
            last = Some(failure.clone());
            failure
        });
        all_told.extend(told.into_iter().map(|tell| (tell, outcome.clone())));
    }
    let only_reads = all_told.is_empty() && !reads.is_empty();
    if whole && !only_reads {
        match database.stay_in_place(path) {
            Ok(()) => database.report_recovery(),
            Err(failure) => {
                database.context.failed(&failure.problem);
                all_told
                    .iter_mut()
                    .for_each(|(_, outcome)| *outcome = Err(failure.clone()));
            }
        }
    }
    // A broken database is given nothing more.
    let broken = last.unwrap_or_else(ended);
    all_told.extend(
        writes
            .into_iter()
            .map(|job| ((job.work)(Err(broken.clone())).1, Ok(()))),
    );
    for job in reads {
        let (outcome, tell) = (job.work)(Ok(database));
        let outcome = outcome.map_err(|error| {
            whole &= !file::is_broken(&error);
            file::cannot(path, &error)
        });
        all_told.push((tell, outcome));
    }
    // Who hears of the outcome finds it in the status as well.
    database.show();
    for (tell, outcome) in all_told {
        tell(outcome);
    }
    whole
}

/// Whether there is room for more, once what is only to be deleted is.
fn has_room_now(database: &mut Database) -> bool {
    if database.has_room() {
        return true;
    }
    if database.lazy_work() > 0
        && let Err(error) = commit(database, Durability::Writes, |_| Ok(()))
    {
        log::debug!("messages: nothing is deleted: {}", file::brief(&error));
    }
    database.has_room()
}

/// One transaction: `work`, and what could wait until now.
fn commit(
    database: &mut Database,
    care: Durability,
    work: impl FnOnce(&mut Database) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let outcome = database
        .begin(care != Durability::Writes)
        .and_then(|()| work(database))
        .and_then(|()| database.write_lazy_work())
        .and_then(|()| database.commit());
    if outcome.is_err() {
        database.roll_back();
    }
    outcome
}

/// Answers everybody with the problem for a while. False when nobody is left.
async fn refuse_for_a_while(failure: &StoreError, queue: &mut mpsc::Receiver<Job>) -> bool {
    let until = Instant::now() + RETRY;
    // Jobs may come without a pause.
    while Instant::now() < until {
        match timeout_at(until, queue.recv()).await {
            Ok(Some(job)) => {
                let (_, tell) = (job.work)(Err(failure.clone()));
                tell(Ok(()));
            }
            Ok(None) => return false,
            Err(_) => break,
        }
    }
    true
}

#[cfg(test)]
mod tests;
