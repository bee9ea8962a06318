//! Administration of the outbox: list, show, purge and retry messages.

use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension as _, Row};

use super::make_room::make_room;
use super::message_ref::{MessageRef, SubmitError};
use super::outcome::Outcome;
use super::rows::{delete, parse_message_ref};
use super::sequence::Place;
use super::state::OutboxChange;
use crate::messages::database::Database;
use crate::messages::message::Properties;
use crate::messages::store::error::StoreError;
use crate::messages::thread::Store;
use crate::messages::thread::job::Durability;

/// Messages in one page of a list.
pub const PAGE: usize = 100;
/// Messages that one step purges or retries.
const STEP: u32 = 500;

/// A message in the outbox, or parked.
#[derive(Clone, Debug)]
pub struct OutboxEntry {
    /// Number of the message.
    pub id: i64,
    /// State of the message.
    pub state: MessageState,
    /// Topic of the message.
    pub topic: String,
    /// Size of the payload in bytes.
    pub payload_size: usize,
    /// When the message was accepted, by the clock of that moment.
    pub accepted: SystemTime,
    /// Whether the broker is to retain it.
    pub retain: bool,
    /// Why it is parked.
    pub reason: Option<String>,
}

/// State of a message in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// It waits to be sent.
    Queued,
    /// It was sent, and AWS has not answered yet.
    InFlight,
    /// AWS did not accept it.
    Parked,
}

/// A message with its properties and payload.
#[derive(Clone, Debug)]
pub struct OutboxMessage {
    /// The message as in a list.
    pub entry: OutboxEntry,
    /// MQTT 5 properties.
    pub properties: Properties,
    /// Payload.
    pub payload: Vec<u8>,
}

/// Messages to purge or to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The message of this number.
    One(i64),
    /// All messages that wait to be sent.
    Queued,
    /// All parked messages.
    Parked,
}

const COLUMNS: &str = "id, topic, length(payload), length(CAST(properties AS BLOB)), account, accepted, retain";

/// Lists a page of the messages after number `after`: the parked ones, or those in the outbox.
pub(in crate::messages) fn list(database: &Database, after: i64, parked: bool) -> rusqlite::Result<Vec<OutboxEntry>> {
    let (table, reason) = if parked {
        ("parked", "reason")
    } else {
        ("outbox", "NULL")
    };
    let mut page = database.connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, {reason} FROM {table} WHERE id > ?1 ORDER BY id"
    ))?;
    let mut rows = page.query((after,))?;
    let mut entries = Vec::new();
    while entries.len() < PAGE
        && let Some(row) = rows.next()?
    {
        let entry = parse_entry(database, row, parked)?;
        // Acknowledged messages do not count: only the page after the last message is empty.
        if !database.outbox.acknowledged.contains(&entry.id) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn parse_entry(database: &Database, row: &Row, parked: bool) -> rusqlite::Result<OutboxEntry> {
    let id = row.get(0)?;
    let accepted = u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0);
    Ok(OutboxEntry {
        id,
        state: match (parked, database.outbox.schedule.is_in_flight(id)) {
            (true, _) => MessageState::Parked,
            (false, true) => MessageState::InFlight,
            (false, false) => MessageState::Queued,
        },
        topic: row.get(1)?,
        payload_size: row.get(2)?,
        accepted: SystemTime::UNIX_EPOCH + Duration::from_millis(accepted),
        retain: row.get(6)?,
        reason: row.get(7)?,
    })
}

/// Reads the message of this number, if there is one.
pub(in crate::messages) fn read_details(database: &Database, id: i64) -> rusqlite::Result<Option<OutboxMessage>> {
    for (table, reason, parked) in [("parked", "reason", true), ("outbox", "NULL", false)] {
        let sql = format!("SELECT {COLUMNS}, {reason}, properties, payload FROM {table} WHERE id = ?1");
        let found = database.connection.prepare_cached(&sql)?.query_row((id,), |row| {
            Ok(OutboxMessage {
                entry: parse_entry(database, row, parked)?,
                properties: Properties::from_json(row.get_ref(8)?.as_str_or_null()?),
                payload: row.get(9)?,
            })
        });
        if let Some(found) = found.optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Deletes the selected messages in steps that do not delay other jobs for long, and returns how many.
pub(in crate::messages) async fn purge_all(store: &Store, selection: Selection) -> Result<usize, StoreError> {
    let mut purged = 0;
    loop {
        let purge = move |database: &mut Database| purge(database, selection);
        let (some, more) = store.run(Durability::Synced, purge).await?;
        purged += some;
        if !more {
            return Ok(purged);
        }
    }
}

/// Deletes some of the selected messages; returns how many, and whether there may be more.
pub(in crate::messages) fn purge(database: &mut Database, selection: Selection) -> rusqlite::Result<(usize, bool)> {
    match selection {
        Selection::Parked => {
            let deleted = delete_some_parked(database)?;
            Ok((deleted, is_full_step(deleted)))
        }
        Selection::One(id) => match delete_parked(database, id)? {
            0 => purge_queued(database, "id = ?1", id),
            parked => Ok((parked, false)),
        },
        Selection::Queued => purge_queued(database, "id > ?1", 0),
    }
}

fn is_full_step(count: usize) -> bool {
    count == usize::try_from(STEP).unwrap_or(0)
}

fn delete_some_parked(database: &mut Database) -> rusqlite::Result<usize> {
    let sql = format!("DELETE FROM parked WHERE id IN (SELECT id FROM parked ORDER BY id LIMIT {STEP})");
    let deleted = database.connection.prepare_cached(&sql)?.execute(())?;
    record_parked_deleted(database, deleted);
    Ok(deleted)
}

fn delete_parked(database: &mut Database, id: i64) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM parked WHERE id = ?1";
    let deleted = database.connection.prepare_cached(sql)?.execute((id,))?;
    record_parked_deleted(database, deleted);
    Ok(deleted)
}

fn record_parked_deleted(database: &mut Database, deleted: usize) {
    let change = -i64::try_from(deleted).unwrap_or(0);
    database.outbox.record(OutboxChange::Parked(change));
}

fn purge_queued(database: &mut Database, condition: &str, id: i64) -> rusqlite::Result<(usize, bool)> {
    let messages = select(database, "outbox", condition, id)?;
    let more = is_full_step(messages.len());
    let mut deleted = 0;
    for message in messages {
        // This commit deletes acknowledged messages anyway; they are not counted as purged.
        if database.outbox.acknowledged.contains(&message.id) {
            continue;
        }
        delete(database, message, Outcome::Dropped("it was purged".to_owned()))?;
        deleted += 1;
    }
    Ok((deleted, more))
}

/// Selects the messages of one step.
fn select(database: &Database, table: &str, condition: &str, id: i64) -> rusqlite::Result<Vec<MessageRef>> {
    let sql = format!("SELECT {COLUMNS} FROM {table} WHERE {condition} ORDER BY id LIMIT {STEP}");
    let mut select = database.connection.prepare_cached(&sql)?;
    select.query_map((id,), parse_message_ref)?.collect()
}

/// Moves the selected messages back to the outbox in such steps, and returns how many.
pub(in crate::messages) async fn retry_all(store: &Store, selection: Selection) -> Result<usize, SubmitError> {
    let mut retried = 0;
    loop {
        let retry = move |database: &mut Database| retry(database, selection);
        let (some, more) = store.run(Durability::SyncedInsert, retry).await??;
        retried += some;
        if !more {
            return Ok(retried);
        }
    }
}

/// Moves some parked messages to the end of the outbox; returns how many, and whether there may be more.
pub(in crate::messages) fn retry(
    database: &mut Database,
    selection: Selection,
) -> rusqlite::Result<Result<(usize, bool), SubmitError>> {
    let (condition, id) = match selection {
        Selection::One(id) => ("id = ?1", id),
        Selection::Queued | Selection::Parked => ("id > ?1", 0),
    };
    let messages = select(database, "parked", condition, id)?;
    let (found, mut retried) = (messages.len(), 0);
    for message in messages {
        if let Some(problem) = make_room(database, message.size)? {
            return Ok(match retried {
                0 => Err(SubmitError::Full(problem)),
                // The messages for which there was room are committed; the next step reports why there is no more.
                some => Ok((some, true)),
            });
        }
        let id = database.next_id();
        database
            .connection
            .prepare_cached(
                "INSERT INTO outbox (id, topic, payload, retain, properties, accepted, account)
                 SELECT ?2, topic, payload, retain, properties, ?3, account FROM parked WHERE id = ?1",
            )?
            .execute((message.id, id, database.context.now_ms()))?;
        delete_parked(database, message.id)?;
        let message = MessageRef { id, ..message };
        database.outbox.record(OutboxChange::Added {
            message,
            waiter: None,
            place: Place::default(),
        });
        retried += 1;
    }
    Ok(Ok((retried, is_full_step(found))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::messages::{Account, Bounds, Message, spawn};
    use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

    /// An acknowledged message stays in the database for a moment. It is not listed, and ends neither a list nor a purge.
    #[tokio::test(flavor = "current_thread")]
    async fn acknowledged_messages_that_are_not_deleted_yet_are_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(1_800_000_000);
        let reporter =
            StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        let outbox = spawn(folder.path(), Bounds::default(), clock, reporter).unwrap().outbox;
        let mut accepted = tokio::task::JoinSet::new();
        for _ in 0..700 {
            let message = Message {
                topic: "t".to_owned(),
                ..Message::default()
            };
            let outbox = outbox.clone();
            accepted.spawn(async move { outbox.accept(message, Account::default()).await.map(drop).is_ok() });
        }
        assert!(accepted.join_all().await.into_iter().all(|accepted| accepted));
        for _ in 0..PAGE + 1 {
            let taken = outbox.take(1, 1024).await.unwrap().await.unwrap().unwrap();
            outbox.acknowledge(taken.into_iter().next().unwrap().message_ref).await;
        }
        let page = outbox.list(0, false).await.unwrap();
        let ids: Vec<i64> = page.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, (102..=201).collect::<Vec<i64>>());
        assert_eq!(outbox.purge(Selection::Queued).await.unwrap(), 599);
        assert!(outbox.list(0, false).await.unwrap().is_empty());
    }
}
