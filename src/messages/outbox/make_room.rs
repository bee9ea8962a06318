//! Makes room in the outbox: drops messages that are too old and, if configured, the oldest ones.

use super::message_ref::MessageRef;
use super::outcome::Outcome;
use super::rows::{delete, parse_message_ref};
use crate::messages::bounds::{Bounds, WhenFull};
use crate::messages::database::Database;
use crate::messages::owner::Account;
use crate::messages::total::Total;
use crate::problem::Problem;

/// Most messages that one step drops.
const MAX_DROPPED: u32 = 1000;

/// Makes room for `size` more bytes; returns why there is none if that fails.
pub(in crate::messages) fn make_room(database: &mut Database, size: u64) -> rusqlite::Result<Option<Problem>> {
    let bounds = database.context.bounds.clone();
    if has_room(&bounds, database.outbox.pending_total(), size) {
        return Ok(None);
    }
    drop_front(database, &bounds, size, None)?;
    // The account that has most makes room first, so that a flood does not drive out other accounts' messages.
    while bounds.when_full == WhenFull::DropOldest
        && size <= bounds.max_bytes
        && !has_room(&bounds, database.outbox.pending_total(), size)
    {
        let Some((largest, _)) = database.outbox.pending_largest_account(&bounds) else {
            break;
        };
        if drop_front(database, &bounds, size, Some(&largest))? == 0 {
            break;
        }
    }
    let is_full = !has_room(&bounds, database.outbox.pending_total(), size);
    Ok(is_full.then(|| describe_full(&bounds, size)))
}

fn has_room(bounds: &Bounds, total: Total, size: u64) -> bool {
    total.messages < bounds.max_messages && total.bytes.saturating_add(size) <= bounds.max_bytes
}

/// Drops messages from the front until there is room for `size` more bytes, and returns how many. Without an account these
/// are the messages that are too old; with one, any of its messages that are not in flight, until another account has more.
fn drop_front(
    database: &mut Database,
    bounds: &Bounds,
    size: u64,
    account: Option<&Account>,
) -> rusqlite::Result<usize> {
    let dropped = select_front(database, bounds, size, account)?;
    let expired = account.is_none();
    match expired {
        true => database.context.counts.expired += u64::try_from(dropped.len()).unwrap_or(0),
        false => database.context.count_overflow(dropped.len()),
    }
    let count = dropped.len();
    for message in dropped {
        let reason = match expired {
            true => "it was older than mqtt.outbox-max-age",
            false => "the outbox was full, and mqtt.outbox-when-full is \"drop-oldest\"",
        };
        delete(database, message, Outcome::Dropped(reason.to_owned()))?;
    }
    Ok(count)
}

/// Selects the messages that `drop_front` drops.
fn select_front(
    database: &Database,
    bounds: &Bounds,
    size: u64,
    account: Option<&Account>,
) -> rusqlite::Result<Vec<MessageRef>> {
    let mut selected = Vec::new();
    let mut oldest = database.connection.prepare_cached(
        "SELECT id, topic, length(payload), length(CAST(properties AS BLOB)), account, accepted FROM outbox
         WHERE ?1 IS NULL OR account = ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = oldest.query((account.map(Account::as_str), MAX_DROPPED))?;
    let mut total = database.outbox.pending_total();
    let by_messages = total.messages >= bounds.max_messages;
    // How much more the account has than the second largest.
    let mut surplus = account
        .and(database.outbox.pending_largest_account(bounds))
        .map(|(_, surplus)| surplus);
    while let Some(row) = rows.next()? {
        let is_old = |accepted| database.context.age(accepted).is_some_and(|age| age > bounds.max_age);
        if has_room(bounds, total, size) || (account.is_none() && !is_old(row.get(5)?)) {
            break;
        }
        let message = parse_message_ref(row)?;
        if database.outbox.schedule.is_in_flight(message.id) || database.outbox.acknowledged.contains(&message.id) {
            continue;
        }
        total.subtract(message.size);
        let amount = if by_messages { 1 } else { message.size };
        let is_last = surplus.is_some_and(|surplus| surplus <= amount);
        surplus = surplus.map(|surplus| surplus.saturating_sub(amount));
        selected.push(message);
        if is_last {
            break;
        }
    }
    Ok(selected)
}

fn describe_full(bounds: &Bounds, size: u64) -> Problem {
    let message = match size > bounds.max_bytes {
        true => format!(
            "a message of {size} bytes never fits into the outbox (mqtt.outbox-max-bytes = {})",
            bounds.max_bytes
        ),
        false => format!(
            "the outbox is full: it holds at most {} bytes and {} messages (mqtt.outbox-max-bytes, mqtt.outbox-max-messages)",
            bounds.max_bytes, bounds.max_messages
        ),
    };
    Problem::wait(message).next("gatepost status shows why messages are not sent; gatepost outbox list lists them")
}
