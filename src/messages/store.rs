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

use super::bookkeeper::Bookkeeper;
use super::books::Books;
use super::database::{self, Failure, Unusable};
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
pub(super) enum Care {
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

type Tell = Box<dyn FnOnce(Result<(), Failure>) + Send>;
/// Done with the books, or told why they cannot be had.
type Work = Box<dyn FnOnce(Result<&mut Books, Failure>) -> (rusqlite::Result<()>, Tell) + Send>;

struct Job {
    care: Care,
    work: Work,
}

impl Job {
    /// A small write, which shows whether a store that has failed works again.
    fn trial() -> Self {
        Self {
            care: Care::Lasts,
            work: Box::new(|books| {
                let outcome = books.map_or(Ok(()), Books::note_trial);
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
    pub(super) fn spawn(path: PathBuf, bookkeeper: Box<Bookkeeper>) -> io::Result<(Self, Ending)> {
        let (store, queue) = Self::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (alive, ending) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("messages".into()).spawn(move || {
            let _alive = alive;
            runtime.block_on(keep(path, bookkeeper, queue));
        })?;
        Ok((store, ending))
    }

    /// Makes the store's work a future for the caller's own runtime, which waits for the disk then. It ends when all handles are
    /// dropped, with everything written.
    pub(super) fn with_work(path: PathBuf, bookkeeper: Box<Bookkeeper>) -> (Self, Ending, impl Future<Output = ()>) {
        let (store, queue) = Self::new();
        let (alive, ending) = std::sync::mpsc::channel();
        let work = async move {
            let _alive = alive;
            keep(path, bookkeeper, queue).await;
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
        care: Care,
        work: impl FnOnce(&mut Books) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let outcome = self.start(care, work).await?;
        outcome.await.map_err(|_| ended())?
    }

    /// Has `work` done; the outcome comes by itself, so that waiting for it can be given up and taken up again.
    pub(super) async fn start<T: Send + 'static>(
        &self,
        care: Care,
        work: impl FnOnce(&mut Books) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Failure>>, Failure> {
        let (reply, outcome) = oneshot::channel();
        let work: Work = Box::new(move |books| {
            let (done, value) = match books.map(work) {
                Ok(Ok(value)) => (Ok(()), Ok(value)),
                Ok(Err(error)) => (Err(error), Err(ended())),
                Err(failure) => (Ok(()), Err(failure)),
            };
            let tell = move |committed: Result<(), Failure>| drop(reply.send(committed.and(value)));
            (done, Box::new(tell))
        });
        self.jobs.send(Job { care, work }).await.map_err(|_| ended())?;
        Ok(outcome)
    }
}

fn ended() -> Failure {
    Problem::wait("gatepost is ending, or its message store has").into()
}

/// The thread.
async fn keep(path: PathBuf, mut bookkeeper: Box<Bookkeeper>, mut queue: mpsc::Receiver<Job>) {
    loop {
        match open_with_reserve(&path, bookkeeper) {
            Ok(mut books) => match serve(&path, &mut books, &mut queue).await {
                Ended::Broken => {
                    books.hand_over();
                    bookkeeper = books.close();
                }
                Ended::NobodyLeft => return drop(books.close()),
            },
            Err((failure, kept)) => {
                bookkeeper = kept;
                bookkeeper.failed(&failure.problem);
                if !refuse_for_a_while(&failure, &mut queue).await {
                    return;
                }
            }
        }
    }
}

/// Opens the database. On a full disk that can take what is held in reserve: an older schema is brought to today's by writing.
fn open_with_reserve(path: &Path, bookkeeper: Box<Bookkeeper>) -> Result<Books, (Failure, Box<Bookkeeper>)> {
    open_twice_at_most(
        bookkeeper,
        |keeper| open(path, keeper),
        || database::reserve(path).release(),
    )
}

fn open_twice_at_most<K, B>(
    bookkeeper: K,
    open: impl Fn(K) -> Result<B, (Failure, K)>,
    release: impl FnOnce(),
) -> Result<B, (Failure, K)> {
    match open(bookkeeper) {
        Err((failure, bookkeeper)) if failure.disk_full => {
            release();
            open(bookkeeper)
        }
        outcome => outcome,
    }
}

/// Opens the database; one that is broken is set aside, and a new one begun.
fn open(path: &Path, bookkeeper: Box<Bookkeeper>) -> Result<Books, (Failure, Box<Bookkeeper>)> {
    let (unusable, mut bookkeeper) = match try_to_open(path, bookkeeper) {
        Ok(books) => return Ok(books),
        Err(why) => why,
    };
    let error = match unusable {
        Unusable::Not(failure) => return Err((failure, bookkeeper)),
        Unusable::Broken(error) => error,
    };
    match database::set_aside(path, bookkeeper.now()) {
        Ok(aside) => bookkeeper.was_set_aside(path, &aside, &error),
        Err(moving) => {
            let message = format!(
                "{} is broken ({}) and cannot be set aside: {moving}",
                path.display(),
                database::brief(&error)
            );
            return Err((Problem::wait(message).into(), bookkeeper));
        }
    }
    try_to_open(path, bookkeeper).map_err(|(unusable, bookkeeper)| match unusable {
        Unusable::Not(failure) => (failure, bookkeeper),
        Unusable::Broken(error) => (database::cannot(path, &error), bookkeeper),
    })
}

fn try_to_open(path: &Path, bookkeeper: Box<Bookkeeper>) -> Result<Books, (Unusable, Box<Bookkeeper>)> {
    let database = match database::open(path) {
        Ok(database) => database,
        Err(unusable) => return Err((unusable, bookkeeper)),
    };
    match Books::read(database, database::reserve(path), bookkeeper) {
        Ok(mut books) => {
            books.is_new_here(path);
            Ok(books)
        }
        Err((error, bookkeeper)) if database::is_broken(&error) => Err((Unusable::Broken(error), bookkeeper)),
        Err((error, bookkeeper)) => Err((Unusable::Not(database::cannot(path, &error)), bookkeeper)),
    }
}

/// Why jobs are not done any more.
enum Ended {
    Broken,
    NobodyLeft,
}

async fn serve(path: &Path, books: &mut Books, queue: &mut mpsc::Receiver<Job>) -> Ended {
    // When the lazy work's turn is at the latest, and whether it could not be done the last time.
    let (mut due, mut in_vain) = (None, false);
    let mut upkeep = None;
    // When a store that has failed is tried again, because nobody else may come who would find that it works.
    let mut trial: Option<Instant> = None;
    loop {
        if books.bookkeeper.owed {
            match commit(books, Care::Lasts, Books::take_over) {
                Ok(()) => books.bookkeeper.owed = false,
                Err(error) => log::debug!("messages: what is known of the broken database is not noted: {error}"),
            }
        }
        if upkeep.is_none() && books.needs_upkeep() {
            upkeep = Some(Instant::now() + UPKEEP_PAUSE);
        }
        trial = books.has_failed().then(|| trial.unwrap_or(Instant::now() + RETRY));
        let first = match due.into_iter().chain(upkeep).chain(trial).min() {
            Some(due) => timeout_at(due, queue.recv()).await,
            None => Ok(queue.recv().await),
        };
        let mut jobs = VecDeque::new();
        match first {
            Ok(Some(job)) => jobs.push_back(job),
            Ok(None) => {
                let _ = commit(books, Care::Writes, |_| Ok(()));
                return Ended::NobodyLeft;
            }
            Err(_) => {}
        }
        while jobs.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            jobs.push_back(job);
        }
        if !jobs.is_empty() && !work_off(path, books, jobs) {
            return Ended::Broken;
        }
        // Jobs may come without a pause, and none of them write.
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) || (books.lazy_work() >= MOST_LAZY && !in_vain) {
            if !work_off(path, books, VecDeque::new()) {
                return Ended::Broken;
            }
            in_vain = books.lazy_work() > 0;
            due = None;
        }
        due = (books.lazy_work() > 0).then(|| due.unwrap_or(now + LAZINESS));
        if trial.is_some_and(|trial| trial <= now) {
            trial = None;
            if !work_off(path, books, [Job::trial()].into()) {
                return Ended::Broken;
            }
        }
        if upkeep.is_some_and(|upkeep| upkeep <= now) {
            upkeep = match commit(books, Care::Writes, Books::upkeep) {
                Ok(()) => None,
                Err(error) if database::is_broken(&error) => return Ended::Broken,
                Err(error) => {
                    log::debug!("messages: upkeep: {}", database::brief(&error));
                    Some(now + UPKEEP_PATIENCE)
                }
            };
            books.end_upkeep();
        }
    }
}

/// Does a group of jobs: those that write as one commit, then those that read. False when the database is broken.
fn work_off(path: &Path, books: &mut Books, jobs: VecDeque<Job>) -> bool {
    books.bookkeeper.take_bounds();
    let (reads, mut writes): (VecDeque<Job>, VecDeque<Job>) = jobs.into_iter().partition(|job| job.care == Care::Reads);
    let (mut whole, mut last) = (true, None);
    let mut all_told: Vec<(Tell, Result<(), Failure>)> = Vec::new();
    if writes.iter().any(|job| job.care == Care::Adds) && !has_room_now(books) {
        let adds: VecDeque<Job>;
        (adds, writes) = writes.into_iter().partition(|job| job.care == Care::Adds);
        let full = database::full(path);
        all_told.extend(adds.into_iter().map(|job| ((job.work)(Err(full.clone())).1, Ok(()))));
    }
    // Without any job it is the lazy work's turn. A job that fails takes those before it along, and not those behind it.
    let mut once = reads.is_empty() && writes.is_empty() && all_told.is_empty();
    while whole && (std::mem::take(&mut once) || !writes.is_empty()) {
        let lasts = writes.iter().any(|job| job.care != Care::Writes);
        let mut told: Vec<Tell> = Vec::new();
        let outcome = commit(books, if lasts { Care::Lasts } else { Care::Writes }, |books| {
            while books.added() < MOST_AT_ONCE
                && let Some(job) = writes.pop_front()
            {
                let (outcome, tell) = (job.work)(Ok(books));
                told.push(tell);
                outcome?;
            }
            Ok(())
        });
        let outcome = outcome.map_err(|error| {
            whole = !database::is_broken(&error);
            let failure = database::cannot(path, &error);
            if failure.disk_full {
                books.release_reserve();
            }
            books.bookkeeper.failed(&failure.problem);
            last = Some(failure.clone());
            failure
        });
        all_told.extend(told.into_iter().map(|tell| (tell, outcome.clone())));
    }
    let only_reads = all_told.is_empty() && !reads.is_empty();
    if whole && !only_reads {
        match books.stay_in_place(path) {
            Ok(()) => books.report_recovery(),
            Err(failure) => {
                books.bookkeeper.failed(&failure.problem);
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
        let (outcome, tell) = (job.work)(Ok(books));
        let outcome = outcome.map_err(|error| {
            whole &= !database::is_broken(&error);
            database::cannot(path, &error)
        });
        all_told.push((tell, outcome));
    }
    // Who hears of the outcome finds it in the status as well.
    books.show();
    for (tell, outcome) in all_told {
        tell(outcome);
    }
    whole
}

/// Whether there is room for more, once what is only to be deleted is.
fn has_room_now(books: &mut Books) -> bool {
    if books.has_room() {
        return true;
    }
    if books.lazy_work() > 0
        && let Err(error) = commit(books, Care::Writes, |_| Ok(()))
    {
        log::debug!("messages: nothing is deleted: {}", database::brief(&error));
    }
    books.has_room()
}

/// One transaction: `work`, and what could wait until now.
fn commit(
    books: &mut Books,
    care: Care,
    work: impl FnOnce(&mut Books) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let outcome = books
        .begin(care != Care::Writes)
        .and_then(|()| work(books))
        .and_then(|()| books.write_lazy_work())
        .and_then(|()| books.commit());
    if outcome.is_err() {
        books.roll_back();
    }
    outcome
}

/// Answers everybody with the problem for a while. False when nobody is left.
async fn refuse_for_a_while(failure: &Failure, queue: &mut mpsc::Receiver<Job>) -> bool {
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
