//! The table of durable subscriptions: created, changed and deleted.

use super::session_record::SessionRecord;
use super::subscription::{DurableSubscription, DurableSubscriptionError};
use crate::messages::database::Database;
use crate::messages::owner::Owner;
use crate::messages::total::Total;
use crate::qos::Qos;
use crate::user_accounts::UserAccounts;

/// Durable subscriptions in all.
const MAX_SUBSCRIPTIONS: usize = 128;
/// Durable subscriptions of one account, so that no user takes all.
const MAX_PER_ACCOUNT: usize = 16;

/// Creates the subscription or resumes it. The current rule determines its owner: if the rule selects a unit, the
/// subscription becomes the unit's, and other processes of the unit's user lose it.
pub(in crate::messages) fn create_or_resume(
    database: &mut Database,
    name: &str,
    owner: &Owner,
    filter: &str,
    qos: Qos,
    accounts: &UserAccounts,
) -> rusqlite::Result<Result<DurableSubscription, DurableSubscriptionError>> {
    database.context.user_accounts = accounts.clone();
    if let Some(known) = database.durable.pending(name) {
        if !known.may_be_used_by(owner) {
            return Ok(Err(DurableSubscriptionError::Owned));
        }
        let resumed = DurableSubscription {
            owner: owner.clone(),
            filter: filter.to_owned(),
            qos,
            ..known.clone()
        };
        if resumed != *known {
            update(database, resumed.clone())?;
        }
        return Ok(Ok(resumed));
    }
    if let Some(error) = check_limits(database, owner, accounts) {
        return Ok(Err(error));
    }
    insert(database, name, owner, filter, qos, None).map(Ok)
}

/// Checks that one more subscription or session of this owner is within the limits.
pub(super) fn check_limits(
    database: &Database,
    owner: &Owner,
    accounts: &UserAccounts,
) -> Option<DurableSubscriptionError> {
    let all = || database.durable.all_pending();
    let of_account = |other: &&DurableSubscription| other.owner.shares_account_with(owner, accounts);
    if all().count() >= MAX_SUBSCRIPTIONS {
        return Some(DurableSubscriptionError::TooMany(MAX_SUBSCRIPTIONS));
    }
    let is_full = all().filter(of_account).count() >= MAX_PER_ACCOUNT;
    is_full.then_some(DurableSubscriptionError::TooManyOfAccount(MAX_PER_ACCOUNT))
}

/// Restores owner, filter and quality of service from before a subscription was resumed.
pub(in crate::messages) fn undo_resume(database: &mut Database, before: &DurableSubscription) -> rusqlite::Result<()> {
    let Some(known) = database.durable.pending(&before.name).cloned() else {
        return Ok(());
    };
    let restored = DurableSubscription {
        owner: before.owner.clone(),
        filter: before.filter.clone(),
        qos: before.qos,
        ..known
    };
    update(database, restored)
}

pub(super) fn update(database: &mut Database, subscription: DurableSubscription) -> rusqlite::Result<()> {
    let DurableSubscription {
        number,
        owner,
        filter,
        qos,
        session,
        ..
    } = &subscription;
    database
        .connection
        .prepare_cached("UPDATE subscription SET owner = ?2, filter = ?3, qos = ?4, session = ?5 WHERE number = ?1")?
        .execute((
            number,
            owner.to_text(),
            filter,
            qos,
            session.as_ref().map(SessionRecord::to_json),
        ))?;
    database.durable.set(subscription);
    Ok(())
}

/// Adds a subscription.
pub(in crate::messages) fn insert(
    database: &mut Database,
    name: &str,
    owner: &Owner,
    filter: &str,
    qos: Qos,
    session: Option<SessionRecord>,
) -> rusqlite::Result<DurableSubscription> {
    // A number is not reused while rows of an ended subscription have it.
    let number = database.connection.query_row(
        "SELECT 1 + max(coalesce((SELECT max(number) FROM subscription), 0),
                        coalesce((SELECT max(subscription) FROM delivery), 0))",
        (),
        |row| row.get(0),
    )?;
    let last = database.context.first_id;
    database
        .connection
        .prepare_cached(
            "INSERT INTO subscription (number, name, owner, filter, qos, last, session)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            number,
            name,
            owner.to_text(),
            filter,
            qos,
            last,
            session.as_ref().map(SessionRecord::to_json),
        ))?;
    let subscription = DurableSubscription {
        name: name.to_owned(),
        number,
        owner: owner.clone(),
        filter: filter.to_owned(),
        qos,
        session,
        total: Total::default(),
        last,
        dropped: 0,
        withheld: 0,
    };
    database.durable.set(subscription.clone());
    Ok(subscription)
}

/// Deletes a subscription; returns whether it existed. Its messages are deleted in small steps by
/// [`delete_leftovers`](super::deliveries::delete_leftovers).
pub(in crate::messages) fn delete(database: &mut Database, name: &str) -> rusqlite::Result<bool> {
    let Some(number) = database.durable.pending(name).map(|subscription| subscription.number) else {
        return Ok(false);
    };
    database
        .connection
        .execute("DELETE FROM subscription WHERE number = ?1", (number,))?;
    database.durable.has_leftovers = true;
    database.durable.remove(name);
    Ok(true)
}
