//! The durable subscriptions in memory, and the changes of the current transaction.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::session_record::SessionRecord;
use super::subscription::DurableSubscription;
use crate::messages::message::stored_size;
use crate::messages::owner::Owner;
use crate::messages::total::Total;

/// The durable subscriptions by name.
#[derive(Debug)]
pub(in crate::messages) struct DurableState {
    committed: BTreeMap<String, DurableSubscription>,
    /// Subscriptions that the current transaction changes, or deletes (`None`).
    changes: BTreeMap<String, Option<DurableSubscription>>,
    /// Whether the database may have rows of deleted subscriptions.
    pub(in crate::messages) has_leftovers: bool,
}

impl DurableState {
    /// Reads the durable subscriptions from the database.
    pub(in crate::messages) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut committed = BTreeMap::new();
        let mut subscriptions =
            connection.prepare("SELECT number, name, owner, filter, qos, dropped, last, session FROM subscription")?;
        let mut rows = subscriptions.query(())?;
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            let stored = count_stored(connection, number)?;
            let subscription = DurableSubscription {
                number,
                name: row.get(1)?,
                owner: Owner::from_text(row.get_ref(2)?.as_str()?),
                filter: row.get(3)?,
                qos: row.get(4)?,
                session: row.get_ref(7)?.as_str_or_null()?.map(SessionRecord::from_json),
                dropped: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
                total: stored.total,
                withheld: stored.withheld,
                // A number is never used again, because a program may still acknowledge it.
                last: stored.last.max(row.get(6)?),
            };
            committed.insert(subscription.name.clone(), subscription);
        }
        Ok(Self {
            committed,
            changes: BTreeMap::new(),
            // A kill may have interrupted the deletion.
            has_leftovers: true,
        })
    }

    /// Returns a subscription.
    pub(in crate::messages) fn get(&self, name: &str) -> Option<&DurableSubscription> {
        self.committed.get(name)
    }

    /// Returns all subscriptions.
    pub(in crate::messages) fn all(&self) -> impl Iterator<Item = &DurableSubscription> {
        self.committed.values()
    }

    /// Returns a subscription as it will be after the commit.
    pub(in crate::messages) fn pending(&self, name: &str) -> Option<&DurableSubscription> {
        match self.changes.get(name) {
            Some(changed) => changed.as_ref(),
            None => self.committed.get(name),
        }
    }

    /// Returns all subscriptions as they will be after the commit.
    pub(in crate::messages) fn all_pending(&self) -> impl Iterator<Item = &DurableSubscription> {
        let unchanged = self.committed.values();
        let unchanged = unchanged.filter(|subscription| !self.changes.contains_key(&subscription.name));
        unchanged.chain(self.changes.values().flatten())
    }

    /// Adds or changes a subscription with the commit.
    pub(in crate::messages) fn set(&mut self, subscription: DurableSubscription) {
        self.changes.insert(subscription.name.clone(), Some(subscription));
    }

    /// Deletes a subscription with the commit.
    pub(in crate::messages) fn remove(&mut self, name: &str) {
        self.changes.insert(name.to_owned(), None);
    }

    /// Applies the changes of the transaction that was committed; returns whether any subscription was added or changed.
    pub(in crate::messages) fn apply_changes(&mut self) -> bool {
        let mut any_set = false;
        for (name, changed) in std::mem::take(&mut self.changes) {
            match changed {
                Some(subscription) => {
                    self.committed.insert(name, subscription);
                    any_set = true;
                }
                None => drop(self.committed.remove(&name)),
            }
        }
        any_set
    }

    /// Discards the changes of the transaction that was rolled back.
    pub(in crate::messages) fn discard_changes(&mut self) {
        self.changes.clear();
    }
}

/// Messages that are stored for a subscription.
#[derive(Default)]
struct StoredCount {
    total: Total,
    last: i64,
    withheld: u64,
}

fn count_stored(connection: &Connection, number: i64) -> rusqlite::Result<StoredCount> {
    let mut count = StoredCount::default();
    let mut all = connection.prepare_cached(
        "SELECT delivery.id, topic, length(payload), length(CAST(properties AS BLOB)), withheld
         FROM delivery JOIN message ON message.id = delivery.message WHERE subscription = ?1 ORDER BY delivery.id",
    )?;
    let mut rows = all.query((number,))?;
    while let Some(row) = rows.next()? {
        count.total.add(row_size(row)?);
        count.last = row.get(0)?;
        count.withheld += u64::from(row.get::<_, bool>(4)?);
    }
    Ok(count)
}

/// Returns the size of a message, from the columns topic, payload's length and properties' length that follow the first column.
pub(in crate::messages) fn row_size(row: &Row) -> rusqlite::Result<u64> {
    let topic = row.get_ref(1)?;
    Ok(stored_size(
        topic.as_str()?,
        row.get(2)?,
        row.get::<_, Option<usize>>(3)?.unwrap_or(0),
    ))
}
