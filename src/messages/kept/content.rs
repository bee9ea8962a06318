//! What waits for durable subscriptions: each message once in `message`, and a row in `delivery` for each that it waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rusqlite::{Connection, Row};

use super::super::database::{Change, Database, Total};
use super::super::message::{Properties, Received, size};
use super::super::owner::Owner;
use super::{Acknowledged, DurableSubscription, StoredMessage};

/// Messages that one turn deletes, so that nobody waits for long behind it.
pub(super) const AT_ONCE: u32 = 500;

/// The messages of which the oldest are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oldest {
    /// Those that were handed out: the others are acknowledged by nobody.
    HandedOut,
    /// All of them: there is no room.
    OfAll,
}

impl Database {
    /// Stores a message for each of these subscriptions, where they still exist. The oldest make room.
    pub(in super::super) fn deliver(&mut self, names: &[String], message: &Received) -> rusqlite::Result<()> {
        let properties = message.properties.to_json();
        let bytes = size(
            &message.topic,
            message.payload.len(),
            properties.as_ref().map_or(0, String::len),
        );
        // Room first, for all of them: what makes room for one may be another's oldest, and must not be this message.
        let mut with_room = Vec::new();
        for name in names {
            let Some(mut kept) = self.kept_then(name).cloned() else {
                continue;
            };
            if self.make_room_in(&mut kept, bytes)? {
                kept.total.more(bytes);
                with_room.push(name);
            }
            self.with_commit(Change::DurableSubscription(kept));
        }
        if with_room.is_empty() {
            return Ok(());
        }
        let id = self.store(message, properties.as_deref())?;
        for name in with_room {
            // Making room for another may have changed it since.
            let Some(mut kept) = self.kept_then(name).cloned() else {
                continue;
            };
            kept.last += 1;
            self.database
                .prepare_cached("INSERT INTO delivery (subscription, id, message) VALUES (?1, ?2, ?3)")?
                .execute((kept.number, kept.last, id))?;
            self.with_commit(Change::DurableSubscription(kept));
        }
        self.adds(bytes);
        Ok(())
    }

    fn store(&self, message: &Received, properties: Option<&str>) -> rusqlite::Result<i64> {
        self.database
            .prepare_cached(
                "INSERT INTO message (topic, payload, qos, retained, properties, received) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                &message.topic,
                &message.payload[..],
                message.qos,
                message.retained,
                properties,
                self.context.now_ms(),
            ))?;
        Ok(self.database.last_insert_rowid())
    }

    /// Deletes the subscription's oldest messages as long as `goes_on` says so, at most [`AT_ONCE`]; returns how many.
    pub(super) fn delete_oldest(
        &mut self,
        kept: &mut DurableSubscription,
        which: Oldest,
        mut goes_on: impl FnMut(&DurableSubscription, i64) -> bool,
    ) -> rusqlite::Result<usize> {
        let mut gone = Vec::new();
        {
            let mut oldest = self.database.prepare_cached(
                "SELECT delivery.id, topic, length(payload), length(CAST(properties AS BLOB)), message, withheld
                 FROM delivery JOIN message ON message.id = delivery.message
                 WHERE subscription = ?1 AND withheld <= ?2 ORDER BY delivery.id LIMIT ?3",
            )?;
            let mut rows = oldest.query((kept.number, which == Oldest::OfAll, AT_ONCE))?;
            while let Some(row) = rows.next()? {
                let id = row.get(0)?;
                if !goes_on(kept, id) {
                    break;
                }
                kept.total.less(row_size(row)?);
                kept.withheld = kept.withheld.saturating_sub(u64::from(row.get::<_, bool>(5)?));
                gone.push((id, row.get(4)?));
            }
        }
        self.delete_deliveries(kept.number, &gone)?;
        if !gone.is_empty() {
            self.note_counters(kept)?;
        }
        Ok(gone.len())
    }

    /// Deletes these rows of `delivery`, and the messages that wait for nobody else.
    fn delete_deliveries(&self, subscription: i64, gone: &[(i64, i64)]) -> rusqlite::Result<()> {
        let mut delivery = self
            .database
            .prepare_cached("DELETE FROM delivery WHERE subscription = ?1 AND id = ?2")?;
        let mut message = self.database.prepare_cached(
            "DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = ?1)",
        )?;
        for (id, message_id) in gone {
            delivery.execute((subscription, id))?;
            message.execute((message_id,))?;
        }
        Ok(())
    }

    /// Deletes some of what waited for subscriptions that have ended.
    pub(in super::super) fn delete_leftovers(&mut self) -> rusqlite::Result<()> {
        let Some(subscription) = self.next_ended()? else {
            self.leftovers = false;
            return Ok(());
        };
        let mut oldest = self
            .database
            .prepare_cached("SELECT id, message FROM delivery WHERE subscription = ?1 ORDER BY id LIMIT ?2")?;
        let leftovers: Vec<(i64, i64)> = oldest
            .query_map((subscription, AT_ONCE), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        drop(oldest);
        self.delete_deliveries(subscription, &leftovers)
    }

    /// A subscription that has ended and has rows left. It is found by one step in the index for each subscription that has rows:
    /// a search through the rows would pass those of all others each time.
    fn next_ended(&self) -> rusqlite::Result<Option<i64>> {
        let mut next = self
            .database
            .prepare_cached("SELECT min(subscription) FROM delivery WHERE subscription > ?1")?;
        let numbers: BTreeSet<i64> = self.all_kept_then().map(|kept| kept.number).collect();
        let mut number = i64::MIN;
        while let Some(found) = next.query_row((number,), |row| row.get::<_, Option<i64>>(0))? {
            if !numbers.contains(&found) {
                return Ok(Some(found));
            }
            number = found;
        }
        Ok(None)
    }

    /// Notes the last number and how many were dropped: neither can be told from what is left.
    pub(super) fn note_counters(&self, kept: &DurableSubscription) -> rusqlite::Result<()> {
        self.database
            .prepare_cached("UPDATE subscription SET last = ?2, dropped = ?3 WHERE number = ?1")?
            .execute((kept.number, kept.last, i64::try_from(kept.dropped).unwrap_or(i64::MAX)))?;
        Ok(())
    }

    /// The next messages after number `after`: at most `most`, and no more than `bytes` of them unless it is one.
    pub(in super::super) fn read_kept(
        &self,
        name: &str,
        after: i64,
        most: usize,
        bytes: usize,
    ) -> rusqlite::Result<Option<Vec<StoredMessage>>> {
        let Some(kept) = self.kept.get(name) else {
            return Ok(None);
        };
        let mut next = self.database.prepare_cached(
            "SELECT delivery.id, topic, payload, qos, retained, properties, received, withheld
             FROM delivery JOIN message ON message.id = delivery.message
             WHERE subscription = ?1 AND delivery.id > ?2 ORDER BY delivery.id",
        )?;
        let mut rows = next.query((kept.number, after))?;
        let (mut messages, mut taken) = (Vec::new(), 0);
        while messages.len() < most
            && taken < bytes
            && let Some(row) = rows.next()?
        {
            let message = kept_message(row)?;
            taken += message.message.payload.len();
            messages.push(message);
        }
        Ok(Some(messages))
    }

    /// Notes of these messages whether they are withheld: an acknowledgement of those behind them does not delete them.
    pub(in super::super) fn withhold(&mut self, name: &str, ids: &[i64], withheld: bool) -> rusqlite::Result<()> {
        let Some(mut kept) = self.kept_then(name).cloned() else {
            return Ok(());
        };
        let mut update = self.database.prepare_cached(
            "UPDATE delivery SET withheld = ?3 WHERE subscription = ?1 AND id = ?2 AND withheld <> ?3",
        )?;
        let mut changed = 0;
        for id in ids {
            changed += u64::try_from(update.execute((kept.number, id, withheld))?).unwrap_or(0);
        }
        drop(update);
        kept.withheld = match withheld {
            true => kept.withheld.saturating_add(changed),
            false => kept.withheld.saturating_sub(changed),
        };
        self.with_commit(Change::DurableSubscription(kept));
        Ok(())
    }

    /// The program has everything up to number `up_to` that was handed out. A turn deletes some of it.
    pub(in super::super) fn acknowledge_kept(&mut self, name: &str, up_to: i64) -> rusqlite::Result<Acknowledged> {
        let Some(mut kept) = self.kept_then(name).cloned() else {
            return Ok(Acknowledged::Unknown);
        };
        if up_to > kept.last {
            return Ok(Acknowledged::Beyond(kept.last));
        }
        let deleted = self.delete_oldest(&mut kept, Oldest::HandedOut, |_, id| id <= up_to)?;
        self.with_commit(Change::DurableSubscription(kept));
        Ok(match deleted < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
            true => Acknowledged::Done,
            false => Acknowledged::More,
        })
    }
}

/// What is in the database.
pub(in super::super) fn load(database: &Connection) -> rusqlite::Result<BTreeMap<String, DurableSubscription>> {
    let mut all = BTreeMap::new();
    let mut subscriptions =
        database.prepare("SELECT number, name, owner, filter, qos, dropped, last FROM subscription")?;
    let mut rows = subscriptions.query(())?;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        let (total, last, withheld) = waiting(database, number)?;
        let kept = DurableSubscription {
            number,
            name: row.get(1)?,
            owner: Owner::from_text(row.get_ref(2)?.as_str()?),
            filter: row.get(3)?,
            qos: row.get(4)?,
            dropped: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
            total,
            withheld,
            // A number is never used again: a program may still acknowledge it.
            last: last.max(row.get(6)?),
        };
        all.insert(kept.name.clone(), kept);
    }
    Ok(all)
}

/// Returns the total of messages waiting for a subscription, the last one's number, and how many of them are withheld.
fn waiting(database: &Connection, number: i64) -> rusqlite::Result<(Total, i64, u64)> {
    let (mut total, mut last, mut withheld) = (Total::default(), 0, 0);
    let mut all = database.prepare_cached(
        "SELECT delivery.id, topic, length(payload), length(CAST(properties AS BLOB)), withheld
         FROM delivery JOIN message ON message.id = delivery.message WHERE subscription = ?1 ORDER BY delivery.id",
    )?;
    let mut rows = all.query((number,))?;
    while let Some(row) = rows.next()? {
        total.more(row_size(row)?);
        last = row.get(0)?;
        withheld += u64::from(row.get::<_, bool>(4)?);
    }
    Ok((total, last, withheld))
}

fn row_size(row: &Row) -> rusqlite::Result<u64> {
    let topic = row.get_ref(1)?;
    Ok(size(
        topic.as_str()?,
        row.get(2)?,
        row.get::<_, Option<usize>>(3)?.unwrap_or(0),
    ))
}

fn kept_message(row: &Row) -> rusqlite::Result<StoredMessage> {
    let received = u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0);
    Ok(StoredMessage {
        id: row.get(0)?,
        message: Received {
            topic: row.get(1)?,
            payload: Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?),
            qos: row.get(3)?,
            retained: row.get(4)?,
            properties: Properties::from_json(row.get_ref(5)?.as_str_or_null()?),
        },
        received: SystemTime::UNIX_EPOCH + Duration::from_millis(received),
        withheld: row.get(7)?,
    })
}
