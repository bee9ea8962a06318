//! The database and what is known of it without asking it. Only the store's thread has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, SystemTime};

use log::Level;
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::Bounds;
use super::kept::{self, Kept};
use super::lanes::Lanes;
use super::message::size;
use crate::clock::{SharedClock, build_date};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::status::{MessagesDetails, MessagesPhase, Reporter};

/// What became of a message that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// AWS has it.
    Acknowledged,
    /// AWS does not take it, and why: it is kept aside.
    Parked(String),
    /// It was dropped, and why.
    Dropped(String),
}

/// What outlives a database: the bounds, the clock, where to report, and who waits for what.
#[derive(Debug)]
pub(super) struct Bookkeeper {
    pub(super) bounds: Bounds,
    clock: SharedClock,
    reporter: Reporter<MessagesPhase, MessagesDetails>,
    /// Rings when there may be something to send.
    news: watch::Sender<()>,
    /// Rings when a durable subscription may have something to read.
    stored: watch::Sender<()>,
    waiting: HashMap<i64, oneshot::Sender<Fate>>,
    pub(super) counts: Counts,
    set_aside: Option<String>,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) acknowledged: u64,
    pub(super) parked: u64,
    pub(super) dropped: u64,
    pub(super) expired: u64,
    pub(super) refused: u64,
    pub(super) inbox_dropped: u64,
}

impl Bookkeeper {
    pub(super) fn new(
        bounds: Bounds,
        clock: SharedClock,
        reporter: Reporter<MessagesPhase, MessagesDetails>,
        news: watch::Sender<()>,
        stored: watch::Sender<()>,
    ) -> Self {
        Self {
            bounds,
            clock,
            reporter,
            news,
            stored,
            waiting: HashMap::new(),
            counts: Counts::default(),
            set_aside: None,
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    /// The wall clock in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        ms(self.now())
    }

    /// How old something is that was noted down at `then`; nothing where either clock was not set.
    pub(super) fn age(&self, then: i64) -> Option<Duration> {
        let (now, set) = (self.now_ms(), ms(build_date()));
        let age = u64::try_from(now.checked_sub(then)?).ok()?;
        (then >= set && now >= set).then(|| Duration::from_millis(age))
    }

    /// Tells whoever waits what became of the message.
    pub(super) fn tell(&mut self, id: i64, fate: Fate) {
        if let Some(waiting) = self.waiting.remove(&id) {
            let _ = waiting.send(fate);
        }
    }

    /// The database cannot be used.
    pub(super) fn failed(&self, problem: &Problem) {
        self.reporter.report(MessagesPhase::Failed, Some(problem.clone()));
    }

    /// The database was broken.
    pub(super) fn was_set_aside(&mut self, path: &Path, aside: &Path, error: &rusqlite::Error) {
        journal!(
            Level::Error, Event::DatabaseSetAside;
            "messages: {} was broken ({error}); it is now {}, and a new one was begun: what was accepted and not yet sent is in the old one",
            path.display(), aside.display()
        );
        self.set_aside = Some(aside.display().to_string());
        self.waiting.clear();
    }
}

fn ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What becomes true with the commit.
#[derive(Debug)]
pub(super) enum Change {
    /// A message is in the outbox.
    In {
        id: i64,
        topic: String,
        size: u64,
        waiting: Option<oneshot::Sender<Fate>>,
    },
    /// A message is out of it.
    Out {
        id: i64,
        topic: String,
        size: u64,
        fate: Fate,
    },
    /// So many more, or fewer, are parked.
    Parked(i64),
    /// A durable subscription is new or another.
    Kept(Kept),
    /// A durable subscription is gone.
    Unkept(String),
}

/// The books: everything but [`Bookkeeper`] is read from the database again at each opening.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) database: Connection,
    pub(super) bookkeeper: Box<Bookkeeper>,
    pub(super) lanes: Lanes,
    /// Messages in the outbox and their bytes.
    pub(super) queued: Total,
    pub(super) parked: i64,
    /// The durable subscriptions by their names.
    pub(super) kept: BTreeMap<String, Kept>,
    /// Acknowledged, and not yet deleted.
    pub(super) acknowledged: BTreeSet<i64>,
    changes: Vec<Change>,
    last_id: i64,
    lasting: bool,
    healthy: bool,
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Books {
    /// Reads what is in `database`.
    pub(super) fn read(
        database: Connection,
        bookkeeper: Box<Bookkeeper>,
    ) -> Result<Self, (rusqlite::Error, Box<Bookkeeper>)> {
        match count(&database).and_then(|counted| Ok((counted, kept::load(&database)?))) {
            Ok(((lanes, queued, parked, last_id), kept)) => {
                let books = Self {
                    database,
                    bookkeeper,
                    lanes,
                    queued,
                    parked,
                    kept,
                    acknowledged: BTreeSet::new(),
                    changes: Vec::new(),
                    last_id,
                    lasting: true,
                    healthy: false,
                };
                books.show();
                books.bookkeeper.news.send_replace(());
                Ok(books)
            }
            Err(error) => Err((error, bookkeeper)),
        }
    }

    /// Closes the database; its log is then part of it.
    pub(super) fn close(self) -> Box<Bookkeeper> {
        if let Err((_, error)) = self.database.close() {
            log::debug!("messages: closing the database: {error}");
        }
        self.bookkeeper
    }

    /// The next message's number. One that is not used after all is missing, which does no harm.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Begins a transaction that lasts, or one that a loss of power may undo.
    pub(super) fn begin(&mut self, lasts: bool) -> rusqlite::Result<()> {
        if lasts != self.lasting {
            let level = if lasts { "FULL" } else { "NORMAL" };
            self.database.pragma_update(None, "synchronous", level)?;
            self.lasting = lasts;
        }
        self.database.execute_batch("BEGIN")
    }

    /// A durable subscription as it will be after the commit.
    pub(super) fn kept_then(&self, name: &str) -> Option<&Kept> {
        let changed = self.changes.iter().rev().find_map(|change| match change {
            Change::Kept(kept) if kept.name == name => Some(Some(kept)),
            Change::Unkept(gone) if gone == name => Some(None),
            _ => None,
        });
        changed.unwrap_or_else(|| self.kept.get(name))
    }

    /// Makes `change` true with the commit.
    pub(super) fn with_commit(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// What the outbox will have after the commit.
    pub(super) fn queued_then(&self) -> Total {
        let mut total = self.queued;
        for change in &self.changes {
            total.apply(change);
        }
        total
    }

    /// Commits.
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.database.execute_batch("COMMIT")?;
        self.acknowledged.clear();
        if !std::mem::replace(&mut self.healthy, true) {
            self.bookkeeper.reporter.report(MessagesPhase::Ready, None);
        }
        for change in std::mem::take(&mut self.changes) {
            self.queued.apply(&change);
            match change {
                Change::In { id, topic, waiting, .. } => {
                    self.lanes.accepted(id, &topic);
                    if let Some(waiting) = waiting {
                        self.bookkeeper.waiting.insert(id, waiting);
                    }
                }
                Change::Out { id, topic, fate, .. } => {
                    self.lanes.gone(id, &topic);
                    self.bookkeeper.tell(id, fate);
                }
                Change::Parked(more) => self.parked += more,
                Change::Kept(kept) => {
                    self.kept.insert(kept.name.clone(), kept);
                    self.bookkeeper.stored.send_replace(());
                }
                Change::Unkept(name) => drop(self.kept.remove(&name)),
            }
        }
        if self.lanes.any_waiting() {
            self.bookkeeper.news.send_replace(());
        }
        Ok(())
    }

    /// Nothing of this transaction has happened.
    pub(super) fn roll_back(&mut self) {
        self.healthy = false;
        self.changes.clear();
        // Some errors have done so already.
        if !self.database.is_autocommit() {
            let _ = self.database.execute_batch("ROLLBACK");
        }
    }

    /// How much is to be written that is not urgent.
    pub(super) fn lazy_work(&self) -> usize {
        self.acknowledged.len()
    }

    /// Writes it.
    pub(super) fn write_lazy_work(&mut self) -> rusqlite::Result<()> {
        let mut delete = self.database.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
        for id in &self.acknowledged {
            delete.execute((id,))?;
        }
        Ok(())
    }

    /// The status.
    pub(super) fn show(&self) {
        let counts = self.bookkeeper.counts;
        if self.bookkeeper.reporter.phase() == MessagesPhase::Opening {
            self.bookkeeper.reporter.report(MessagesPhase::Ready, None);
        }
        self.bookkeeper.reporter.details(|details| {
            *details = MessagesDetails {
                queued: self.queued.messages,
                queued_bytes: self.queued.bytes,
                parked: u64::try_from(self.parked).unwrap_or(0),
                accepted: counts.accepted,
                acknowledged: counts.acknowledged,
                refused: counts.refused,
                dropped: counts.dropped,
                expired: counts.expired,
                inbox_dropped: counts.inbox_dropped,
                set_aside: self.bookkeeper.set_aside.clone(),
            };
        });
    }
}

impl Total {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::In { size, .. } => {
                self.messages += 1;
                self.bytes += size;
            }
            Change::Out { size, .. } => self.less(*size),
            Change::Parked(_) | Change::Kept(_) | Change::Unkept(_) => {}
        }
    }

    /// One message of this size less.
    pub(super) fn less(&mut self, size: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }
}

fn count(database: &Connection) -> rusqlite::Result<(Lanes, Total, i64, i64)> {
    let (mut lanes, mut queued, mut last_id) = (Lanes::new(), Total::default(), 0);
    // Lengths are in a row's head, so that payloads are not read.
    let mut rows = database
        .prepare("SELECT id, topic, length(payload), length(CAST(properties AS BLOB)) FROM outbox ORDER BY id")?;
    let mut rows = rows.query(())?;
    while let Some(row) = rows.next()? {
        let topic = row.get_ref(1)?.as_str()?;
        lanes.found(topic);
        queued.messages += 1;
        queued.bytes += size(topic, row.get(2)?, row.get::<_, Option<usize>>(3)?.unwrap_or(0));
        last_id = row.get(0)?;
    }
    let (parked, last_parked): (i64, Option<i64>) =
        database.query_row("SELECT count(*), max(id) FROM parked", (), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok((lanes, queued, parked, last_id.max(last_parked.unwrap_or(0))))
}
