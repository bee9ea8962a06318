//! Carries the state of a corrupt database over to the one that replaces it.

use crate::messages::context::Recovery;
use crate::messages::database::{Database, FIRST_ID};
use crate::messages::inbox::durable::{deliveries, table};
use crate::messages::store::metadata;

/// Saves what the next database must know, because this one is corrupt.
pub(super) fn save(database: &mut Database) {
    // The database may itself lack what an earlier one has left.
    let earlier = std::mem::take(&mut database.context.recovery.durable).into_iter();
    let earlier = earlier.filter(|subscription| database.durable.get(&subscription.name).is_none());
    let durable = earlier.chain(database.durable.all().cloned()).collect();
    database.context.recovery = Recovery { pending: true, durable };
    database.context.last_id = database.last_id();
}

/// Writes what the corrupt database has left.
pub(super) fn restore(database: &mut Database) -> rusqlite::Result<()> {
    restore_subscriptions(database)?;
    if let Some(filters) = database.context.subscribed.clone() {
        database.store_subscribed(&filters)?;
    }
    metadata::write(&database.connection, FIRST_ID, &database.context.first_id.to_string())
}

/// Restores the durable subscriptions: without their messages, but their message numbers continue.
fn restore_subscriptions(database: &mut Database) -> rusqlite::Result<()> {
    for lost in database.context.recovery.durable.clone() {
        // All are restored, even if they exceed today's limit of an account.
        let mut restored = match database.durable.pending(&lost.name) {
            Some(known) => known.clone(),
            None => {
                let session = lost.session.clone();
                table::insert(database, &lost.name, &lost.owner, &lost.filter, lost.qos, session)?
            }
        };
        restored.last = restored.last.max(lost.last);
        deliveries::store_counters(database, &restored)?;
        database.durable.set(restored);
    }
    Ok(())
}
