//! Limits of what is stored for durable subscriptions: for each, and for all of an account together.

use super::deliveries::{Oldest, delete_oldest, store_counters};
use super::subscription::DurableSubscription;
use crate::messages::database::Database;
use crate::messages::total::Total;

/// The subscriptions of an account together may have this many times what one of them may have. A message counts for each
/// subscription that has it, though it is stored once.
const ACCOUNT_SHARE: u64 = 8;

/// Makes room for `bytes` more, within the limits of the subscription and of its account. The oldest messages are dropped:
/// first its own, then those of the account's fullest subscription. Returns false if there is no room; the message is then lost
/// for this subscription.
pub(super) fn make_room(
    database: &mut Database,
    subscription: &mut DurableSubscription,
    bytes: u64,
) -> rusqlite::Result<bool> {
    let (max_bytes, max_messages) = (
        database.context.bounds.inbox_max_bytes,
        database.context.bounds.inbox_max_messages,
    );
    let is_full = |total: &Total| total.messages >= max_messages || total.bytes.saturating_add(bytes) > max_bytes;
    if is_full(&subscription.total) {
        drop_oldest(database, subscription, |subscription| is_full(&subscription.total))?;
    }
    let limit = max_bytes.saturating_mul(ACCOUNT_SHARE);
    let (others, fullest) = find_others_of_account(database, subscription);
    let excess = others
        .saturating_add(subscription.total.bytes + bytes)
        .saturating_sub(limit);
    if excess == 0 {
        return Ok(true);
    }
    let dropped = match fullest.filter(|fullest| fullest.total.bytes > subscription.total.bytes) {
        Some(mut fullest) => {
            let target = fullest.total.bytes.saturating_sub(excess);
            let dropped = drop_oldest(database, &mut fullest, |fullest| fullest.total.bytes > target)?;
            database.durable.set(fullest);
            dropped
        }
        None => {
            let target = subscription.total.bytes.saturating_sub(excess);
            drop_oldest(database, subscription, |subscription| subscription.total.bytes > target)?
        }
    };
    if dropped == 0 {
        // The new message is dropped instead.
        count_dropped(database, subscription, 1)?;
    }
    Ok(dropped > 0)
}

/// Drops the oldest messages while `more` says so; returns how many.
fn drop_oldest(
    database: &mut Database,
    subscription: &mut DurableSubscription,
    more: impl Fn(&DurableSubscription) -> bool,
) -> rusqlite::Result<usize> {
    let dropped = delete_oldest(database, subscription, Oldest::OfAll, |subscription, _| {
        more(subscription)
    })?;
    count_dropped(database, subscription, dropped)?;
    Ok(dropped)
}

fn count_dropped(
    database: &mut Database,
    subscription: &mut DurableSubscription,
    dropped: usize,
) -> rusqlite::Result<()> {
    let dropped = u64::try_from(dropped).unwrap_or(0);
    subscription.dropped += dropped;
    database.context.counts.inbox_dropped += dropped;
    match dropped {
        0 => Ok(()),
        _ => store_counters(database, subscription),
    }
}

/// Returns the size of the account's other subscriptions in bytes, and the largest of them.
fn find_others_of_account(
    database: &Database,
    subscription: &DurableSubscription,
) -> (u64, Option<DurableSubscription>) {
    let accounts = &database.context.user_accounts;
    let others = || {
        database.durable.all_pending().filter(|other| {
            other.name != subscription.name && other.owner.shares_account_with(&subscription.owner, accounts)
        })
    };
    let fullest = others().max_by_key(|other| other.total.bytes).cloned();
    (others().map(|other| other.total.bytes).sum(), fullest)
}
