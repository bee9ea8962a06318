//! The database and what is known of it without asking it. Only the store's thread has them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::anew::Place;
use super::bookkeeper::{Bookkeeper, Fate};
use super::facts;
use super::kept::{self, Kept};
use super::lanes::Lanes;
use super::message::size;
use super::reserve::Reserve;
use crate::status::{MessagesDetails, MessagesPhase};

/// The fact under which the last message's number is noted.
const LAST_ID: &str = "last-message";
/// The fact under which it is noted that no smaller number is used, if there is reason.
pub(super) const FIRST_ID: &str = "first-number";

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
    /// Where the database's file was when it was opened.
    pub(super) place: Option<Place>,
    pub(super) reserve: Reserve,
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
    /// Bytes that this transaction has added.
    added: u64,
    last_id: i64,
    /// The last number that the database knows of though no message has it.
    noted_id: i64,
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
        mut reserve: Reserve,
        mut bookkeeper: Box<Bookkeeper>,
    ) -> Result<Self, (rusqlite::Error, Box<Bookkeeper>)> {
        match count(&database).and_then(|counted| {
            let subscribed = facts::subscribed(&database)?;
            Ok((
                counted,
                subscribed,
                facts::number(&database, LAST_ID)?,
                facts::number(&database, FIRST_ID)?,
                kept::load(&database)?,
            ))
        }) {
            Ok(((lanes, queued, parked, last_id), subscribed, noted_id, first_id, kept)) => {
                reserve.take();
                bookkeeper.first_id = bookkeeper.first_id.max(first_id);
                bookkeeper.subscribed = bookkeeper.subscribed.or(subscribed);
                let known_id = bookkeeper.last_id.max(bookkeeper.first_id);
                let books = Self {
                    database,
                    place: None,
                    reserve,
                    bookkeeper,
                    lanes,
                    queued,
                    parked,
                    kept,
                    acknowledged: BTreeSet::new(),
                    changes: Vec::new(),
                    added: 0,
                    last_id: last_id.max(noted_id).max(known_id),
                    noted_id,
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

    /// The database was just opened at `path`.
    pub(super) fn is_new_here(&mut self, path: &Path) {
        self.place = Place::of(path).ok().flatten();
        // As it is opened.
        self.lasting = true;
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// The next message's number. One that is not used after all is missing, which does no harm.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.bookkeeper.last_id = self.last_id;
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

    /// Notes the last number when the message that has it goes: no number is used twice, not even after a restart, or what an
    /// operator has written down would mean another message. AUTOINCREMENT would write this with each message; the last one
    /// goes only when nothing is left.
    fn note_last_id(&mut self) -> rusqlite::Result<i64> {
        let gone = |change: &Change| matches!(change, Change::Out { .. });
        if self.noted_id == self.last_id || (self.acknowledged.is_empty() && !self.changes.iter().any(gone)) {
            return Ok(self.noted_id);
        }
        let is_there = self
            .database
            .prepare_cached("SELECT 1 FROM outbox WHERE id = ?1")?
            .exists((self.last_id,))?;
        if is_there {
            return Ok(self.noted_id);
        }
        self.note_fact(LAST_ID, &self.last_id.to_string())?;
        Ok(self.last_id)
    }

    /// Commits.
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        let noted_id = self.note_last_id()?;
        self.database.execute_batch("COMMIT")?;
        self.noted_id = noted_id;
        self.acknowledged.clear();
        self.added = 0;
        if self.has_room() && !std::mem::replace(&mut self.healthy, true) {
            self.bookkeeper.reporter.report(MessagesPhase::Ready, None);
        }
        for change in std::mem::take(&mut self.changes) {
            self.queued.apply(&change);
            match change {
                Change::In { id, topic, waiting, .. } => {
                    self.lanes.accepted(id, &topic);
                    if let Some(waiting) = waiting {
                        self.bookkeeper.waits(id, waiting);
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

    /// Notes that this transaction adds so much.
    pub(super) fn adds(&mut self, bytes: u64) {
        self.added = self.added.saturating_add(bytes);
    }

    /// How many bytes this transaction has added.
    pub(super) fn added(&self) -> u64 {
        self.added
    }

    /// Nothing of this transaction has happened.
    pub(super) fn roll_back(&mut self) {
        self.healthy = false;
        self.changes.clear();
        self.added = 0;
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
        // Ready is what the figures are, too.
        if self.bookkeeper.reporter.phase() == MessagesPhase::Opening {
            self.bookkeeper.reporter.report(MessagesPhase::Ready, None);
        }
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
