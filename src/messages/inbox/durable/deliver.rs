//! Stores a message for durable subscriptions.

use super::quota::make_room;
use crate::messages::database::Database;
use crate::messages::message::{Received, stored_size};

/// Stores a message for each of these subscriptions that still exists. The oldest messages make room. Returns whether the
/// message was stored for any of them.
pub(in crate::messages) fn deliver(
    database: &mut Database,
    names: &[String],
    message: &Received,
) -> rusqlite::Result<bool> {
    let properties = message.properties.to_json();
    let bytes = stored_size(
        &message.topic,
        message.payload.len(),
        properties.as_ref().map_or(0, String::len),
    );
    // All subscriptions make room before the message is stored: room for one may be made by dropping the oldest message of
    // another, which must not be this one.
    let mut with_room = Vec::new();
    for name in names {
        let Some(mut subscription) = database.durable.pending(name).cloned() else {
            continue;
        };
        if make_room(database, &mut subscription, bytes)? {
            subscription.total.add(bytes);
            with_room.push(name);
        }
        database.durable.set(subscription);
    }
    if with_room.is_empty() {
        return Ok(false);
    }
    let id = insert_message(database, message, properties.as_deref())?;
    for name in with_room {
        // Making room for another subscription may have changed this one.
        let Some(mut subscription) = database.durable.pending(name).cloned() else {
            continue;
        };
        subscription.last += 1;
        database
            .connection
            .prepare_cached("INSERT INTO delivery (subscription, id, message) VALUES (?1, ?2, ?3)")?
            .execute((subscription.number, subscription.last, id))?;
        database.durable.set(subscription);
    }
    database.count_added(bytes);
    Ok(true)
}

fn insert_message(database: &Database, message: &Received, properties: Option<&str>) -> rusqlite::Result<i64> {
    database
        .connection
        .prepare_cached(
            "INSERT INTO message (topic, payload, qos, retained, properties, received) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            &message.topic,
            &message.payload[..],
            message.qos,
            message.retained,
            properties,
            database.context.now_ms(),
        ))?;
    Ok(database.connection.last_insert_rowid())
}
