//! The database and what is known of it without asking it. Only the store's thread has them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Bounds;
use super::anew::Place;
use super::context::{Outcome, StoreContext};
use super::facts;
use super::kept::{self, DurableSubscription};
use super::lanes::Lanes;
use super::message::size;
use super::owner::Account;
use super::reserve::Reserve;
use crate::status::{MessagesDetails, MessagesPhase};

/// The fact under which the last message's number is noted.
const LAST_ID: &str = "last-message";
/// The fact under which it is noted that no smaller number is used, if there is reason.
pub(super) const FIRST_ID: &str = "first-number";

/// The fact under which the last trial of a store that had failed is noted.
const LAST_TRIAL: &str = "last-trial";

/// What becomes true with the commit.
#[derive(Debug)]
pub(super) enum Change {
    /// A message is in the outbox.
    In {
        id: i64,
        topic: String,
        size: u64,
        account: Account,
        waiting: Option<oneshot::Sender<Outcome>>,
    },
    /// A message is out of it.
    Out {
        id: i64,
        topic: String,
        size: u64,
        account: Account,
        fate: Outcome,
    },
    /// So many more, or fewer, are parked.
    Parked(i64),
    /// A durable subscription is new or another.
    DurableSubscription(DurableSubscription),
    /// A durable subscription is gone.
    Unkept(String),
}

/// The books: everything but [`StoreContext`] is read from the database again at each opening.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) database: Connection,
    /// Where the database's file was when it was opened.
    pub(super) place: Option<Place>,
    pub(super) reserve: Reserve,
    pub(super) context: Box<StoreContext>,
    pub(super) lanes: Lanes,
    /// Messages in the outbox and their bytes.
    pub(super) queued: Total,
    /// The same of each account that has any.
    accounts: BTreeMap<Account, Total>,
    pub(super) parked: i64,
    /// The durable subscriptions by their names.
    pub(super) kept: BTreeMap<String, DurableSubscription>,
    /// Acknowledged, and not yet deleted.
    pub(super) acknowledged: BTreeSet<i64>,
    /// Whether free pages of the file can be given back.
    pub(super) shrinkable: bool,
    /// Whether that is going on.
    pub(super) shrinking: bool,
    /// Whether rows of ended subscriptions may be left.
    pub(super) leftovers: bool,
    changes: Vec<Change>,
    /// The durable subscriptions that this transaction changes or ends.
    kept_changes: BTreeMap<String, Option<DurableSubscription>>,
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

impl Database {
    /// Reads what is in `database`.
    pub(super) fn read(
        database: Connection,
        mut reserve: Reserve,
        mut context: Box<StoreContext>,
    ) -> Result<Self, (rusqlite::Error, Box<StoreContext>)> {
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
            Ok((counted, subscribed, noted_id, first_id, kept)) => {
                let Counted {
                    lanes,
                    queued,
                    accounts,
                    parked,
                    last_id,
                } = counted;
                reserve.take();
                context.first_id = context.first_id.max(first_id);
                context.subscribed = context.subscribed.or(subscribed);
                let known_id = context.last_id.max(context.first_id);
                let database = Self {
                    database,
                    place: None,
                    reserve,
                    context,
                    lanes,
                    queued,
                    accounts,
                    parked,
                    kept,
                    acknowledged: BTreeSet::new(),
                    shrinkable: false,
                    // A kill may have interrupted an end.
                    leftovers: true,
                    changes: Vec::new(),
                    kept_changes: BTreeMap::new(),
                    shrinking: false,
                    added: 0,
                    last_id: last_id.max(noted_id).max(known_id),
                    noted_id,
                    lasting: true,
                    healthy: false,
                };
                database.show();
                database.context.news.send_replace(());
                Ok(database)
            }
            Err(error) => Err((error, context)),
        }
    }

    /// Closes the database; its log is then part of it.
    pub(super) fn close(self) -> Box<StoreContext> {
        if let Err((_, error)) = self.database.close() {
            log::debug!("messages: closing the database: {error}");
        }
        self.context
    }

    /// The database was just opened at `path`.
    pub(super) fn is_new_here(&mut self, path: &Path) {
        self.place = Place::of(path).ok().flatten();
        self.note_shrinkable();
        // As it is opened.
        self.lasting = true;
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// The next message's number. One that is not used after all is missing, which does no harm.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.context.last_id = self.last_id;
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
    pub(super) fn kept_then(&self, name: &str) -> Option<&DurableSubscription> {
        match self.kept_changes.get(name) {
            Some(changed) => changed.as_ref(),
            None => self.kept.get(name),
        }
    }

    /// The durable subscriptions as they will be after the commit.
    pub(super) fn all_kept_then(&self) -> impl Iterator<Item = &DurableSubscription> {
        let unchanged = self.kept.values();
        let unchanged = unchanged.filter(|kept| !self.kept_changes.contains_key(&kept.name));
        unchanged.chain(self.kept_changes.values().flatten())
    }

    /// Makes `change` true with the commit.
    pub(super) fn with_commit(&mut self, change: Change) {
        match change {
            Change::DurableSubscription(kept) => drop(self.kept_changes.insert(kept.name.clone(), Some(kept))),
            Change::Unkept(name) => drop(self.kept_changes.insert(name, None)),
            other => self.changes.push(other),
        }
    }

    /// What the outbox will have after the commit.
    pub(super) fn queued_then(&self) -> Total {
        let mut total = self.queued;
        for change in &self.changes {
            total.apply(change);
        }
        total
    }

    /// Returns an account's total in the outbox after the commit.
    pub(super) fn of_account_then(&self, account: &Account) -> Total {
        let mut total = self.accounts.get(account).copied().unwrap_or_default();
        for change in &self.changes {
            if matches!(change, Change::In { account: other, .. } | Change::Out { account: other, .. } if other == account)
            {
                total.apply(change);
            }
        }
        total
    }

    /// The account that has most in the outbox after the commit, by whichever of the two bounds is reached, and how much more it has
    /// than the next.
    pub(super) fn largest_then(&self, bounds: &Bounds) -> Option<(Account, u64)> {
        let mut accounts = self.accounts.clone();
        for change in &self.changes {
            apply_to_accounts(&mut accounts, change);
        }
        let by_messages = self.queued_then().messages >= bounds.max_messages;
        let has = |total: &Total| if by_messages { total.messages } else { total.bytes };
        let mut sizes: Vec<(u64, Account)> = accounts
            .into_iter()
            .map(|(account, total)| (has(&total), account))
            .collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        let mut sizes = sizes.into_iter();
        let (largest, account) = sizes.next()?;
        Some((account, largest - sizes.next().map_or(0, |(next, _)| next)))
    }

    /// A message of this size is out of the outbox, which is only written later.
    pub(super) fn less_of(&mut self, account: &Account, size: u64) {
        less_of(&mut self.accounts, account, size);
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
            self.context.reporter.report(MessagesPhase::Ready, None);
        }
        for change in std::mem::take(&mut self.changes) {
            self.queued.apply(&change);
            apply_to_accounts(&mut self.accounts, &change);
            match change {
                Change::In {
                    id,
                    topic,
                    account,
                    waiting,
                    ..
                } => {
                    self.lanes.accepted(id, &account, &topic);
                    if let Some(waiting) = waiting {
                        self.context.waits(id, waiting);
                    }
                }
                Change::Out {
                    id,
                    topic,
                    account,
                    fate,
                    ..
                } => {
                    self.lanes.gone(id, &account, &topic);
                    self.context.tell(id, fate);
                }
                Change::Parked(more) => self.parked += more,
                // They are in `kept_changes`.
                Change::DurableSubscription(_) | Change::Unkept(_) => {}
            }
        }
        for (name, changed) in std::mem::take(&mut self.kept_changes) {
            match changed {
                Some(kept) => {
                    self.kept.insert(name, kept);
                    self.context.stored.send_replace(());
                }
                None => drop(self.kept.remove(&name)),
            }
        }
        if self.lanes.any_waiting() {
            self.context.news.send_replace(());
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

    /// Whether the last write has failed, or there is no room for the next.
    pub(super) fn has_failed(&self) -> bool {
        self.context.reporter.phase() == MessagesPhase::Failed
    }

    /// The file is in its place again: ready, if it can be written too.
    pub(super) fn report_recovery(&self) {
        if self.healthy && self.has_failed() {
            self.context.reporter.report(MessagesPhase::Ready, None);
        }
    }

    /// Writes something that nobody reads.
    pub(super) fn note_trial(&mut self) -> rusqlite::Result<()> {
        self.note_fact(LAST_TRIAL, &self.context.now_ms().to_string())
    }

    /// Nothing of this transaction has happened.
    pub(super) fn roll_back(&mut self) {
        self.healthy = false;
        self.changes.clear();
        self.kept_changes.clear();
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
        let counts = self.context.counts;
        self.context.reporter.details(|details| {
            *details = MessagesDetails {
                opened: true,
                queued: self.queued.messages,
                queued_bytes: self.queued.bytes,
                parked: u64::try_from(self.parked).unwrap_or(0),
                accepted: counts.accepted,
                acknowledged: counts.acknowledged,
                refused: counts.refused,
                dropped: counts.dropped,
                expired: counts.expired,
                inbox_dropped: counts.inbox_dropped,
                suspended: self.context.suspended,
                set_aside: self.context.set_aside.clone(),
            };
        });
        // Ready is what the figures are, too.
        if self.context.reporter.phase() == MessagesPhase::Opening {
            self.context.reporter.report(MessagesPhase::Ready, None);
        }
    }
}

impl Total {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::In { size, .. } => self.more(*size),
            Change::Out { size, .. } => self.less(*size),
            Change::Parked(_) | Change::DurableSubscription(_) | Change::Unkept(_) => {}
        }
    }

    /// One message of this size more.
    pub(super) fn more(&mut self, size: u64) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(size);
    }

    /// One message of this size less.
    pub(super) fn less(&mut self, size: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }
}

fn apply_to_accounts(accounts: &mut BTreeMap<Account, Total>, change: &Change) {
    match change {
        Change::In { account, .. } => accounts.entry(account.clone()).or_default().apply(change),
        Change::Out { account, size, .. } => less_of(accounts, account, *size),
        Change::Parked(_) | Change::DurableSubscription(_) | Change::Unkept(_) => {}
    }
}

fn less_of(accounts: &mut BTreeMap<Account, Total>, account: &Account, size: u64) {
    if let Some(total) = accounts.get_mut(account) {
        total.less(size);
        if total.messages == 0 {
            accounts.remove(account);
        }
    }
}

/// What a database has when it is opened.
struct Counted {
    lanes: Lanes,
    queued: Total,
    accounts: BTreeMap<Account, Total>,
    parked: i64,
    last_id: i64,
}

fn count(database: &Connection) -> rusqlite::Result<Counted> {
    let (mut lanes, mut queued, mut last_id) = (Lanes::new(), Total::default(), 0);
    let mut accounts: BTreeMap<Account, Total> = BTreeMap::new();
    let mut account = Account::default();
    // Lengths are in a row's head, so that payloads are not read; the account is behind them in older rows.
    let mut rows = database.prepare(
        "SELECT id, topic, length(payload), length(CAST(properties AS BLOB)), account FROM outbox ORDER BY id",
    )?;
    let mut rows = rows.query(())?;
    while let Some(row) = rows.next()? {
        let topic = row.get_ref(1)?.as_str()?;
        let owner = row.get_ref(4)?.as_str()?;
        if account.as_str() != owner {
            account = Account::new(owner);
        }
        last_id = row.get(0)?;
        lanes.found(last_id, &account, topic);
        let size = size(topic, row.get(2)?, row.get::<_, Option<usize>>(3)?.unwrap_or(0));
        queued.more(size);
        accounts.entry(account.clone()).or_default().more(size);
    }
    let (parked, last_parked): (i64, Option<i64>) =
        database.query_row("SELECT count(*), max(id) FROM parked", (), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(Counted {
        lanes,
        queued,
        accounts,
        parked,
        last_id: last_id.max(last_parked.unwrap_or(0)),
    })
}
