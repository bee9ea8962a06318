//! Messages that are stored for durable subscriptions. Each message is stored once in `message`, and has a row in `delivery`
//! for each subscription.
//!
//! [`deliver`](super::deliver::deliver) stores a message for several subscriptions.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rusqlite::Row;

use super::state::row_size;
use super::subscription::{AcknowledgeOutcome, DurableSubscription, StoredMessage};
use crate::messages::database::Database;
use crate::messages::message::{Properties, Received};

/// Messages that one step deletes, so that no job waits long.
pub(super) const MAX_DELETED: u32 = 500;

/// The messages of which the oldest are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oldest {
    /// Messages that were delivered to the program: only these can be acknowledged.
    Delivered,
    /// All messages, to make room.
    OfAll,
}

/// Deletes the subscription's oldest messages while `more` says so, at most [`MAX_DELETED`]; returns how many.
pub(super) fn delete_oldest(
    database: &mut Database,
    subscription: &mut DurableSubscription,
    oldest: Oldest,
    mut more: impl FnMut(&DurableSubscription, i64) -> bool,
) -> rusqlite::Result<usize> {
    let mut deleted = Vec::new();
    {
        let mut select = database.connection.prepare_cached(
            "SELECT delivery.id, topic, length(payload), length(CAST(properties AS BLOB)), message, withheld
             FROM delivery JOIN message ON message.id = delivery.message
             WHERE subscription = ?1 AND withheld <= ?2 ORDER BY delivery.id LIMIT ?3",
        )?;
        let mut rows = select.query((subscription.number, oldest == Oldest::OfAll, MAX_DELETED))?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if !more(subscription, id) {
                break;
            }
            subscription.total.subtract(row_size(row)?);
            subscription.withheld = subscription.withheld.saturating_sub(u64::from(row.get::<_, bool>(5)?));
            deleted.push((id, row.get(4)?));
        }
    }
    delete_rows(database, subscription.number, &deleted)?;
    if !deleted.is_empty() {
        store_counters(database, subscription)?;
    }
    Ok(deleted.len())
}

/// Deletes these rows of `delivery`, and the messages that no other subscription has.
fn delete_rows(database: &Database, subscription: i64, rows: &[(i64, i64)]) -> rusqlite::Result<()> {
    let mut delivery = database
        .connection
        .prepare_cached("DELETE FROM delivery WHERE subscription = ?1 AND id = ?2")?;
    let mut message = database.connection.prepare_cached(
        "DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = ?1)",
    )?;
    for (id, message_id) in rows {
        delivery.execute((subscription, id))?;
        message.execute((message_id,))?;
    }
    Ok(())
}

/// Deletes some messages of subscriptions that have ended.
pub(in crate::messages) fn delete_leftovers(database: &mut Database) -> rusqlite::Result<()> {
    let Some(subscription) = find_ended(database)? else {
        database.durable.has_leftovers = false;
        return Ok(());
    };
    let leftovers: Vec<(i64, i64)> = {
        let mut oldest = database
            .connection
            .prepare_cached("SELECT id, message FROM delivery WHERE subscription = ?1 ORDER BY id LIMIT ?2")?;
        oldest
            .query_map((subscription, MAX_DELETED), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?
    };
    delete_rows(database, subscription, &leftovers)
}

/// Finds an ended subscription that still has rows, with one index lookup for each subscription that has rows. A scan would
/// read the rows of all other subscriptions each time.
fn find_ended(database: &Database) -> rusqlite::Result<Option<i64>> {
    let mut next = database
        .connection
        .prepare_cached("SELECT min(subscription) FROM delivery WHERE subscription > ?1")?;
    let pending = database.durable.all_pending();
    let numbers: BTreeSet<i64> = pending.map(|subscription| subscription.number).collect();
    let mut number = i64::MIN;
    while let Some(found) = next.query_row((number,), |row| row.get::<_, Option<i64>>(0))? {
        if !numbers.contains(&found) {
            return Ok(Some(found));
        }
        number = found;
    }
    Ok(None)
}

/// Stores the last number and how many messages were dropped, neither of which follows from the remaining rows.
pub(in crate::messages) fn store_counters(
    database: &Database,
    subscription: &DurableSubscription,
) -> rusqlite::Result<()> {
    let dropped = i64::try_from(subscription.dropped).unwrap_or(i64::MAX);
    database
        .connection
        .prepare_cached("UPDATE subscription SET last = ?2, dropped = ?3 WHERE number = ?1")?
        .execute((subscription.number, subscription.last, dropped))?;
    Ok(())
}

/// Reads the next messages after number `after`: at most `max`, and at most `bytes` unless it is a single message. `None` if
/// there is no such subscription.
pub(in crate::messages) fn read(
    database: &Database,
    name: &str,
    after: i64,
    max: usize,
    bytes: usize,
) -> rusqlite::Result<Option<Vec<StoredMessage>>> {
    let Some(subscription) = database.durable.get(name) else {
        return Ok(None);
    };
    let mut next = database.connection.prepare_cached(
        "SELECT delivery.id, topic, payload, qos, retained, properties, received, withheld
         FROM delivery JOIN message ON message.id = delivery.message
         WHERE subscription = ?1 AND delivery.id > ?2 ORDER BY delivery.id",
    )?;
    let mut rows = next.query((subscription.number, after))?;
    let (mut messages, mut read_bytes) = (Vec::new(), 0);
    while messages.len() < max
        && read_bytes < bytes
        && let Some(row) = rows.next()?
    {
        let message = parse_stored(row)?;
        read_bytes += message.message.payload.len();
        messages.push(message);
    }
    Ok(Some(messages))
}

/// Records whether these messages are withheld: an acknowledgement of later messages does not delete those that are.
pub(in crate::messages) fn set_withheld(
    database: &mut Database,
    name: &str,
    ids: &[i64],
    withheld: bool,
) -> rusqlite::Result<()> {
    let Some(mut subscription) = database.durable.pending(name).cloned() else {
        return Ok(());
    };
    let mut changed = 0;
    {
        let mut update = database.connection.prepare_cached(
            "UPDATE delivery SET withheld = ?3 WHERE subscription = ?1 AND id = ?2 AND withheld <> ?3",
        )?;
        for id in ids {
            changed += u64::try_from(update.execute((subscription.number, id, withheld))?).unwrap_or(0);
        }
    }
    subscription.withheld = match withheld {
        true => subscription.withheld.saturating_add(changed),
        false => subscription.withheld.saturating_sub(changed),
    };
    database.durable.set(subscription);
    Ok(())
}

/// Deletes delivered messages up to number `up_to`, which their program has acknowledged. One call deletes some of them.
pub(in crate::messages) fn acknowledge(
    database: &mut Database,
    name: &str,
    up_to: i64,
) -> rusqlite::Result<AcknowledgeOutcome> {
    let Some(mut subscription) = database.durable.pending(name).cloned() else {
        return Ok(AcknowledgeOutcome::Unknown);
    };
    if up_to > subscription.last {
        return Ok(AcknowledgeOutcome::Beyond(subscription.last));
    }
    let deleted = delete_oldest(database, &mut subscription, Oldest::Delivered, |_, id| id <= up_to)?;
    database.durable.set(subscription);
    Ok(match deleted < usize::try_from(MAX_DELETED).unwrap_or(usize::MAX) {
        true => AcknowledgeOutcome::Done,
        false => AcknowledgeOutcome::More,
    })
}

/// Deletes these messages, which their program has acknowledged one by one.
pub(in crate::messages) fn remove(database: &mut Database, name: &str, ids: &[i64]) -> rusqlite::Result<()> {
    let Some(mut subscription) = database.durable.pending(name).cloned() else {
        return Ok(());
    };
    let mut deleted = Vec::new();
    {
        let mut select = database.connection.prepare_cached(
            "SELECT delivery.id, topic, length(payload), length(CAST(properties AS BLOB)), message, withheld
             FROM delivery JOIN message ON message.id = delivery.message WHERE subscription = ?1 AND delivery.id = ?2",
        )?;
        for id in ids {
            let mut rows = select.query((subscription.number, id))?;
            if let Some(row) = rows.next()? {
                subscription.total.subtract(row_size(row)?);
                subscription.withheld = subscription.withheld.saturating_sub(u64::from(row.get::<_, bool>(5)?));
                deleted.push((*id, row.get(4)?));
            }
        }
    }
    delete_rows(database, subscription.number, &deleted)?;
    if !deleted.is_empty() {
        store_counters(database, &subscription)?;
        database.durable.set(subscription);
    }
    Ok(())
}

fn parse_stored(row: &Row) -> rusqlite::Result<StoredMessage> {
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
