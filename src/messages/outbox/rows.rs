//! Rows of the outbox's table: parsed and deleted.

use rusqlite::Row;

use super::message_ref::{MessageRef, Outgoing};
use super::outcome::Outcome;
use super::state::OutboxChange;
use crate::messages::database::Database;
use crate::messages::message::{Message, Properties, stored_size};
use crate::messages::owner::Account;

/// Deletes a message from the outbox with the current transaction.
pub(in crate::messages) fn delete(
    database: &mut Database,
    message: MessageRef,
    outcome: Outcome,
) -> rusqlite::Result<()> {
    database
        .connection
        .prepare_cached("DELETE FROM outbox WHERE id = ?1")?
        .execute((message.id,))?;
    database.outbox.record(OutboxChange::Removed { message, outcome });
    Ok(())
}

/// Parses the columns id, topic, payload's length, properties' length, account.
pub(in crate::messages) fn parse_message_ref(row: &Row) -> rusqlite::Result<MessageRef> {
    let topic: String = row.get(1)?;
    Ok(MessageRef {
        id: row.get(0)?,
        size: stored_size(&topic, row.get(2)?, row.get::<_, Option<usize>>(3)?.unwrap_or(0)),
        topic,
        account: Account::new(row.get::<_, String>(4)?),
    })
}

/// Parses the columns id, topic, payload, properties, accepted, retain, account.
pub(in crate::messages) fn parse_outgoing(row: &Row) -> rusqlite::Result<(Outgoing, i64)> {
    let topic: String = row.get(1)?;
    let payload = row.get_ref(2)?.as_blob()?;
    let properties = row.get_ref(3)?.as_str_or_null()?;
    let message = Message {
        payload: bytes::Bytes::copy_from_slice(payload),
        retain: row.get(5)?,
        properties: Properties::from_json(properties),
        topic: topic.clone(),
    };
    let message_ref = MessageRef {
        id: row.get(0)?,
        size: stored_size(&topic, payload.len(), properties.map_or(0, str::len)),
        topic,
        account: Account::new(row.get::<_, String>(6)?),
    };
    Ok((Outgoing { message_ref, message }, row.get(4)?))
}
