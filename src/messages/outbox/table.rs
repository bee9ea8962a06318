//! The outbox's table: messages are accepted, taken by the session, acknowledged or parked.
//!
//! A message is accepted once it is on the disk. It leaves only when AWS has acknowledged it, or with a reason that can be
//! looked up: it was parked, it was dropped because the outbox was full and is configured so, or it was too old.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::OptionalExtension as _;

use super::make_room::make_room;
use super::message_ref::{MessageRef, Outgoing, Submission, SubmitError};
use super::outcome::Outcome;
use super::rows::{delete, parse_outgoing};
use super::schedule::Next;
use super::share::exceeds_share;
use super::state::OutboxChange;
use crate::messages::bounds::WhenFull;
use crate::messages::database::Database;
use crate::messages::message::stored_size;
use crate::messages::owner::Account;

/// Parked messages that are kept; the oldest are deleted first.
const MAX_PARKED: i64 = 1000;

/// Accepts a message if there is room for it.
pub(in crate::messages) fn accept(
    database: &mut Database,
    submission: Submission,
) -> rusqlite::Result<Result<i64, SubmitError>> {
    let Submission {
        message,
        account,
        waiter,
        place,
    } = submission;
    if let Err(interrupted) = place.check() {
        return Ok(Err(SubmitError::Unusable(interrupted)));
    }
    let properties = message.properties.to_json();
    let size = stored_size(
        &message.topic,
        message.payload.len(),
        properties.as_ref().map_or(0, String::len),
    );
    let mut refusal = make_room(database, size)?;
    if database.context.bounds.when_full == WhenFull::Refuse {
        refusal = refusal.or_else(|| exceeds_share(database, &account, size));
    }
    if let Some(problem) = refusal {
        database.context.counts.refused += 1;
        return Ok(Err(SubmitError::Full(problem)));
    }
    let id = database.next_id();
    database
        .connection
        .prepare_cached(
            "INSERT INTO outbox (id, topic, payload, retain, properties, accepted, account)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            id,
            &message.topic,
            &message.payload[..],
            message.retain,
            &properties,
            database.context.now_ms(),
            account.as_str(),
        ))?;
    database.context.counts.accepted += 1;
    database.count_added(size);
    let message = MessageRef {
        id,
        topic: message.topic,
        size,
        account,
    };
    database.outbox.record(OutboxChange::Added { message, waiter, place });
    Ok(Ok(id))
}

/// Takes the next messages to send: at most `max`, and at most `bytes` unless it is a single message.
pub(in crate::messages) fn take(database: &mut Database, max: usize, bytes: u64) -> rusqlite::Result<Vec<Outgoing>> {
    let mut taken = Vec::new();
    let outcome = take_into(database, &mut taken, max, bytes);
    if outcome.is_err() {
        // The session does not get the messages that were read before the error.
        for outgoing in &taken {
            database.outbox.schedule.retransmit(outgoing.message_ref.id);
        }
    }
    outcome.map(|()| taken)
}

fn take_into(database: &mut Database, taken: &mut Vec<Outgoing>, max: usize, bytes: u64) -> rusqlite::Result<()> {
    let (mut taken_bytes, mut blocked) = (0, BTreeSet::new());
    while taken.len() < max && taken_bytes < bytes {
        let Some(next) = database.outbox.schedule.next(&blocked) else {
            break;
        };
        let found = match &next {
            Next::This(id) => read(database, *id)?,
            Next::BacklogAfter(account, position) => read_backlog(database, account, *position)?,
        };
        let schedule = &mut database.outbox.schedule;
        let (outgoing, accepted) = match (next, found) {
            (Next::This(id), None) => {
                schedule.forget_missing(id);
                continue;
            }
            (Next::BacklogAfter(account, _), None) => {
                schedule.end_backlog(&account);
                continue;
            }
            (Next::BacklogAfter(account, _), Some((outgoing, _)))
                if !schedule.may_follow(outgoing.message_ref.id, &account, &outgoing.message_ref.topic) =>
            {
                blocked.insert(account);
                continue;
            }
            (_, Some(found)) => found,
        };
        let message = &outgoing.message_ref;
        schedule.start(message.id, &message.account, &message.topic);
        match update_expiry(database, outgoing, accepted) {
            Ok(outgoing) => {
                taken_bytes += outgoing.message_ref.size;
                taken.push(outgoing);
            }
            Err(message) => {
                database.context.counts.expired += 1;
                let reason = "it had expired before it could be sent";
                remove_now(database, &message, Outcome::Dropped(reason.to_owned()));
            }
        }
    }
    Ok(())
}

/// Sets the message's expiry to what is left of it; fails if the message is too old.
fn update_expiry(database: &Database, mut outgoing: Outgoing, accepted: i64) -> Result<Outgoing, MessageRef> {
    let Some(age) = database.context.age(accepted) else {
        return Ok(outgoing);
    };
    let expiry = &mut outgoing.message.properties.message_expiry;
    if let Some(seconds) = expiry {
        let left = Duration::from_secs((*seconds).into()).saturating_sub(age).as_secs();
        // AWS accepts no expiry below a second, so a message with less than that has expired.
        *seconds = u32::try_from(left).unwrap_or(u32::MAX);
    }
    match *expiry == Some(0) || age > database.context.bounds.max_age {
        true => Err(outgoing.message_ref),
        false => Ok(outgoing),
    }
}

/// Reads the message `id` and when it was accepted.
fn read(database: &Database, id: i64) -> rusqlite::Result<Option<(Outgoing, i64)>> {
    database
        .connection
        .prepare_cached("SELECT id, topic, payload, properties, accepted, retain, account FROM outbox WHERE id = ?1")?
        .query_row((id,), parse_outgoing)
        .optional()
}

/// Reads the first message of an account's backlog after `position`.
fn read_backlog(
    database: &Database,
    account: &Account,
    mut position: i64,
) -> rusqlite::Result<Option<(Outgoing, i64)>> {
    let mut first = database.connection.prepare_cached(
        "SELECT id, topic, payload, properties, accepted, retain, account FROM outbox
         WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT 1",
    )?;
    loop {
        let found = first
            .query_row((account.as_str(), position), parse_outgoing)
            .optional()?;
        // Messages of the express lane are skipped, including those that were acknowledged and are not deleted yet.
        let skipped = |id| database.outbox.schedule.is_express(id) || database.outbox.acknowledged.contains(&id);
        match found {
            Some((found, _)) if skipped(found.message_ref.id) => position = found.message_ref.id,
            found => return Ok(found),
        }
    }
}

/// Removes a message that AWS has acknowledged. Its row is deleted with the next commit; after a power cut before that, the
/// message is sent again.
pub(in crate::messages) fn acknowledge(database: &mut Database, message: &MessageRef) {
    // The message may have been purged meanwhile.
    if database.outbox.schedule.is_in_flight(message.id) {
        database.context.counts.acknowledged += 1;
        remove_now(database, message, Outcome::Acknowledged);
    }
}

fn remove_now(database: &mut Database, message: &MessageRef, outcome: Outcome) {
    database.outbox.remove_now(message);
    database.context.report_outcome(message.id, outcome);
}

/// Parks a message that AWS does not accept.
pub(in crate::messages) fn park(database: &mut Database, message: &MessageRef, reason: &str) -> rusqlite::Result<()> {
    if !database.outbox.schedule.is_in_flight(message.id) {
        return Ok(());
    }
    let parked = database
        .connection
        .prepare_cached(
            "INSERT OR REPLACE INTO parked (id, topic, payload, retain, properties, accepted, parked, reason, account)
             SELECT id, topic, payload, retain, properties, accepted, ?2, ?3, account FROM outbox WHERE id = ?1",
        )?
        .execute((message.id, database.context.now_ms(), reason))?;
    delete(database, message.clone(), Outcome::Parked(reason.to_owned()))?;
    database.context.counts.parked += 1;
    let mut dropped = 0;
    // Parked messages take at most as much space as the outbox may.
    while count_parked(database)? > MAX_PARKED || count_parked_bytes(database)? > database.context.bounds.max_bytes {
        match delete_oldest_parked(database)? {
            0 => break,
            some => dropped += some,
        }
    }
    database.context.counts.dropped += u64::try_from(dropped).unwrap_or(0);
    let change = i64::try_from(parked).unwrap_or(0) - i64::try_from(dropped).unwrap_or(0);
    database.outbox.record(OutboxChange::Parked(change));
    Ok(())
}

fn count_parked(database: &Database) -> rusqlite::Result<i64> {
    let count = "SELECT count(*) FROM parked";
    database
        .connection
        .prepare_cached(count)?
        .query_row((), |row| row.get(0))
}

fn count_parked_bytes(database: &Database) -> rusqlite::Result<u64> {
    let sum = "SELECT coalesce(sum(length(payload) + length(topic)), 0) FROM parked";
    database.connection.prepare_cached(sum)?.query_row((), |row| row.get(0))
}

/// Deletes the oldest parked message of the account that has most. Within the account it chooses from the topics that share
/// all but the last level with most other parked messages, so that invented topics do not displace the others.
fn delete_oldest_parked(database: &Database) -> rusqlite::Result<usize> {
    database
        .connection
        .prepare_cached(
            "WITH most AS (SELECT account FROM parked GROUP BY account ORDER BY count(*) DESC, min(id) LIMIT 1),
             above AS (SELECT id, rtrim(topic, replace(topic, '/', '')) AS level FROM parked JOIN most USING (account))
             DELETE FROM parked WHERE id = (SELECT min(id) FROM above WHERE level =
             (SELECT level FROM above GROUP BY level ORDER BY count(*) DESC, min(id) LIMIT 1))",
        )?
        .execute(())
}
