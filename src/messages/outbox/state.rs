//! The outbox as far as it is known without reading the database, and the changes of the current transaction.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::message_ref::MessageRef;
use super::outcome::Outcome;
use super::schedule::Schedule;
use super::sequence::Place;
use crate::messages::bounds::Bounds;
use crate::messages::context::StoreContext;
use crate::messages::message::stored_size;
use crate::messages::owner::Account;
use crate::messages::total::Total;

/// A change to the outbox that takes effect with the commit.
#[derive(Debug)]
pub(in crate::messages) enum OutboxChange {
    /// A message was added.
    Added {
        message: MessageRef,
        waiter: Option<oneshot::Sender<Outcome>>,
        /// Interrupts its sequence if the transaction is rolled back.
        place: Place,
    },
    /// A message was removed.
    Removed { message: MessageRef, outcome: Outcome },
    /// The number of parked messages has changed by this much.
    Parked(i64),
}

/// The outbox as far as it is known without reading the database.
#[derive(Debug)]
pub(in crate::messages) struct OutboxState {
    pub(in crate::messages) schedule: Schedule,
    /// All messages in the outbox.
    pub(in crate::messages) total: Total,
    /// The messages of each account that has any.
    accounts: BTreeMap<Account, Total>,
    pub(in crate::messages) parked: i64,
    /// Acknowledged messages that are not deleted yet.
    pub(in crate::messages) acknowledged: BTreeSet<i64>,
    changes: Vec<OutboxChange>,
}

impl OutboxState {
    /// Reads the outbox from the database; returns the last message's number as well.
    pub(in crate::messages) fn load(connection: &Connection) -> rusqlite::Result<(Self, i64)> {
        let (mut schedule, mut all, mut last_id) = (Schedule::new(), Total::default(), 0);
        let mut accounts: BTreeMap<Account, Total> = BTreeMap::new();
        let mut account = Account::default();
        // SQLite takes lengths from the head of a row without reading the payload. Only older rows have the account behind it.
        let mut rows = connection.prepare(
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
            schedule.add_stored(last_id, &account, topic);
            let size = stored_size(topic, row.get(2)?, row.get::<_, Option<usize>>(3)?.unwrap_or(0));
            all.add(size);
            accounts.entry(account.clone()).or_default().add(size);
        }
        let (parked, last_parked): (i64, Option<i64>) =
            connection.query_row("SELECT count(*), max(id) FROM parked", (), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let state = Self {
            schedule,
            total: all,
            accounts,
            parked,
            acknowledged: BTreeSet::new(),
            changes: Vec::new(),
        };
        Ok((state, last_id.max(last_parked.unwrap_or(0))))
    }

    /// Records a change that takes effect with the commit.
    pub(in crate::messages) fn record(&mut self, change: OutboxChange) {
        self.changes.push(change);
    }

    /// Returns the outbox's total after the commit.
    pub(in crate::messages) fn pending_total(&self) -> Total {
        let mut total = self.total;
        for change in &self.changes {
            match change {
                OutboxChange::Added { message, .. } => total.add(message.size),
                OutboxChange::Removed { message, .. } => total.subtract(message.size),
                OutboxChange::Parked(_) => {}
            }
        }
        total
    }

    /// Returns an account's total after the commit.
    pub(in crate::messages) fn pending_total_of(&self, account: &Account) -> Total {
        let mut total = self.accounts.get(account).copied().unwrap_or_default();
        for change in &self.changes {
            match change {
                OutboxChange::Added { message, .. } if message.account == *account => total.add(message.size),
                OutboxChange::Removed { message, .. } if message.account == *account => total.subtract(message.size),
                _ => {}
            }
        }
        total
    }

    /// Returns the account with the largest total after the commit, by whichever bound is reached, and how much more it has than the next
    /// one.
    pub(in crate::messages) fn pending_largest_account(&self, bounds: &Bounds) -> Option<(Account, u64)> {
        let mut accounts = self.accounts.clone();
        for change in &self.changes {
            match change {
                OutboxChange::Added { message, .. } => add_to(&mut accounts, message),
                OutboxChange::Removed { message, .. } => subtract_from(&mut accounts, message),
                OutboxChange::Parked(_) => {}
            }
        }
        let by_messages = self.pending_total().messages >= bounds.max_messages;
        let amount = |total: &Total| if by_messages { total.messages } else { total.bytes };
        let mut amounts: Vec<(u64, Account)> = accounts
            .into_iter()
            .map(|(account, total)| (amount(&total), account))
            .collect();
        amounts.sort_unstable_by(|one, other| other.cmp(one));
        let mut amounts = amounts.into_iter();
        let (largest, account) = amounts.next()?;
        Some((account, largest - amounts.next().map_or(0, |(next, _)| next)))
    }

    /// Removes an acknowledged or expired message at once; its row is deleted with the next commit.
    pub(in crate::messages) fn remove_now(&mut self, message: &MessageRef) {
        self.schedule.remove(message.id, &message.account, &message.topic);
        self.total.subtract(message.size);
        subtract_from(&mut self.accounts, message);
        self.acknowledged.insert(message.id);
    }

    /// Returns whether the current transaction deletes messages.
    pub(in crate::messages) fn deletes_messages(&self) -> bool {
        let removes = |change: &OutboxChange| matches!(change, OutboxChange::Removed { .. });
        !self.acknowledged.is_empty() || self.changes.iter().any(removes)
    }

    /// Deletes the rows of acknowledged messages.
    pub(in crate::messages) fn delete_acknowledged(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut delete = connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
        for id in &self.acknowledged {
            delete.execute((id,))?;
        }
        Ok(())
    }

    /// Applies the changes of the transaction that was committed.
    pub(in crate::messages) fn apply_changes(&mut self, context: &mut StoreContext) {
        self.acknowledged.clear();
        for change in std::mem::take(&mut self.changes) {
            match change {
                OutboxChange::Added { message, waiter, place } => {
                    place.accept();
                    self.total.add(message.size);
                    add_to(&mut self.accounts, &message);
                    self.schedule.add_new(message.id, &message.account, &message.topic);
                    if let Some(waiter) = waiter {
                        context.add_waiter(message.id, waiter);
                    }
                }
                OutboxChange::Removed { message, outcome } => {
                    self.total.subtract(message.size);
                    subtract_from(&mut self.accounts, &message);
                    self.schedule.remove(message.id, &message.account, &message.topic);
                    context.report_outcome(message.id, outcome);
                }
                OutboxChange::Parked(change) => self.parked += change,
            }
        }
    }

    /// Discards the changes of the transaction that was rolled back.
    pub(in crate::messages) fn discard_changes(&mut self) {
        self.changes.clear();
    }
}

fn add_to(accounts: &mut BTreeMap<Account, Total>, message: &MessageRef) {
    accounts.entry(message.account.clone()).or_default().add(message.size);
}

fn subtract_from(accounts: &mut BTreeMap<Account, Total>, message: &MessageRef) {
    if let Some(total) = accounts.get_mut(&message.account) {
        total.subtract(message.size);
        if total.messages == 0 {
            accounts.remove(&message.account);
        }
    }
}
