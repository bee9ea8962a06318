//! The outbox: messages accepted and not yet acknowledged.
//!
//! A message is accepted when it is on the disk, and leaves only when AWS has acknowledged it, or with a reason that
//! somebody can look up: parked, dropped because the outbox was full and the administrator wants it so, too old.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, Row};
use tokio::sync::oneshot;

use super::context::Outcome;
use super::database::{Change, Database};
use super::file::StoreError;
use super::lanes::Next;
use super::message::{Message, Properties, size};
use super::owner::Account;
use super::{Bounds, WhenFull};
use crate::problem::Problem;

/// Parked messages that are kept; the oldest go first.
const PARKED: i64 = 1000;
/// At most so many old messages make room for a new one at once.
const ROOM: u32 = 1000;

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which one.
    pub ticket: MessageRef,
    /// The message; its expiry is what is left of it.
    pub message: Message,
}

/// By what a message that was sent is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRef {
    /// Its number: later messages have larger ones.
    pub id: i64,
    /// Its topic.
    pub topic: String,
    /// What it counts for.
    pub size: u64,
    /// Whose turn it is sent in.
    pub account: Account,
}

/// Why a message was not accepted.
#[derive(Clone, Debug)]
pub enum SubmitError {
    /// There is no room for it.
    Full(Problem),
    /// There is no room on the disk.
    DiskFull(Problem),
    /// Nothing can be written now.
    Unusable(Problem),
}

impl From<StoreError> for SubmitError {
    fn from(why: StoreError) -> Self {
        match why.disk_full {
            true => Self::DiskFull(why.problem),
            false => Self::Unusable(why.problem),
        }
    }
}

/// A message to accept, and who waits for its fate.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) message: Message,
    pub(super) account: Account,
    pub(super) fate: Option<oneshot::Sender<Outcome>>,
}

impl Database {
    /// Accepts a message, if there is room for it.
    pub(super) fn accept(&mut self, submission: Submission) -> rusqlite::Result<Result<i64, SubmitError>> {
        let Submission { message, account, fate } = submission;
        let properties = message.properties.to_json();
        let size = size(
            &message.topic,
            message.payload.len(),
            properties.as_ref().map_or(0, String::len),
        );
        let mut refusal = self.make_room(size)?;
        if self.context.bounds.when_full == WhenFull::Refuse {
            refusal = refusal.or_else(|| self.exceeds_share(&account, size));
        }
        if let Some(problem) = refusal {
            self.context.counts.refused += 1;
            return Ok(Err(SubmitError::Full(problem)));
        }
        let id = self.next_id();
        self.database
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
                self.context.now_ms(),
                account.as_str(),
            ))?;
        self.context.counts.accepted += 1;
        self.adds(size);
        self.with_commit(Change::In {
            id,
            topic: message.topic,
            size,
            account,
            waiting: fate,
        });
        Ok(Ok(id))
    }

    /// Sees to it that `size` bytes more fit, or says why they do not.
    pub(super) fn make_room(&mut self, size: u64) -> rusqlite::Result<Option<Problem>> {
        let bounds = self.context.bounds.clone();
        if self.fits(&bounds, size) {
            return Ok(None);
        }
        self.drop_front(&bounds, size, None)?;
        // Whoever has most in the outbox makes room first: who floods it drives nobody else's messages out.
        while bounds.when_full == WhenFull::DropOldest && size <= bounds.max_bytes && !self.fits(&bounds, size) {
            let Some((largest, _)) = self.largest_then(&bounds) else {
                break;
            };
            if self.drop_front(&bounds, size, Some(&largest))? == 0 {
                break;
            }
        }
        Ok((!self.fits(&bounds, size)).then(|| full(&bounds, size)))
    }

    fn fits(&self, bounds: &Bounds, size: u64) -> bool {
        let then = self.queued_then();
        then.messages < bounds.max_messages && then.bytes.saturating_add(size) <= bounds.max_bytes
    }

    /// Drops messages from the front until `size` bytes more fit, and returns how many: those that are too old, or any of an account
    /// that are not being sent, as long as no other account has more.
    fn drop_front(&mut self, bounds: &Bounds, size: u64, account: Option<&Account>) -> rusqlite::Result<usize> {
        let too_old = account.is_none();
        let mut dropped = Vec::new();
        {
            let mut oldest = self.database.prepare_cached(
                "SELECT id, topic, length(payload), length(CAST(properties AS BLOB)), account, accepted FROM outbox
                 WHERE ?1 IS NULL OR account = ?1 ORDER BY id LIMIT ?2",
            )?;
            let mut rows = oldest.query((account.map(Account::as_str), ROOM))?;
            let then = self.queued_then();
            let (mut messages, mut bytes) = (then.messages, then.bytes);
            let by_messages = messages >= bounds.max_messages;
            // What it has beyond the second largest.
            let mut surplus = account.and(self.largest_then(bounds)).map(|(_, surplus)| surplus);
            while let Some(row) = rows.next()? {
                let fits = messages < bounds.max_messages && bytes.saturating_add(size) <= bounds.max_bytes;
                let old = self.context.age(row.get(5)?).is_some_and(|age| age > bounds.max_age);
                if fits || (too_old && !old) {
                    break;
                }
                let ticket = ticket(row)?;
                if self.lanes.is_in_flight(ticket.id) || self.acknowledged.contains(&ticket.id) {
                    continue;
                }
                messages = messages.saturating_sub(1);
                bytes = bytes.saturating_sub(ticket.size);
                let part = if by_messages { 1 } else { ticket.size };
                let last = surplus.is_some_and(|surplus| surplus <= part);
                surplus = surplus.map(|surplus| surplus.saturating_sub(part));
                dropped.push(ticket);
                if last {
                    break;
                }
            }
        }
        match too_old {
            true => self.context.counts.expired += u64::try_from(dropped.len()).unwrap_or(0),
            false => self.context.made_room(dropped.len()),
        }
        let count = dropped.len();
        for ticket in dropped {
            let why = match too_old {
                true => "it was older than mqtt.outbox-max-age",
                false => "the outbox was full, and mqtt.outbox-when-full is \"drop-oldest\"",
            };
            self.delete(&ticket, Outcome::Dropped(why.to_owned()))?;
        }
        Ok(count)
    }

    fn delete(&mut self, ticket: &MessageRef, fate: Outcome) -> rusqlite::Result<()> {
        self.database
            .prepare_cached("DELETE FROM outbox WHERE id = ?1")?
            .execute((ticket.id,))?;
        self.with_commit(Change::Out {
            id: ticket.id,
            topic: ticket.topic.clone(),
            size: ticket.size,
            account: ticket.account.clone(),
            fate,
        });
        Ok(())
    }

    /// The next messages to send: at most `most`, and no more than `bytes` of them unless it is one.
    pub(super) fn take(&mut self, most: usize, bytes: u64) -> rusqlite::Result<Vec<Outgoing>> {
        let mut taken = Vec::new();
        let outcome = self.take_into(&mut taken, most, bytes);
        if outcome.is_err() {
            // Nobody sends those that were read before the error: their turn comes again.
            for outgoing in &taken {
                self.lanes.again(outgoing.ticket.id);
            }
        }
        outcome.map(|()| taken)
    }

    fn take_into(&mut self, taken: &mut Vec<Outgoing>, most: usize, bytes: u64) -> rusqlite::Result<()> {
        let (mut taken_bytes, mut blocked) = (0, BTreeSet::new());
        while taken.len() < most && taken_bytes < bytes {
            let Some(next) = self.lanes.next(&blocked) else { break };
            let found = match &next {
                Next::This(id) => self.row(*id)?,
                Next::BacklogAfter(account, position) => self.first_of_backlog(account, *position)?,
            };
            let (outgoing, accepted) = match (next, found) {
                (Next::This(id), None) => {
                    self.lanes.vanished(id);
                    continue;
                }
                (Next::BacklogAfter(account, _), None) => {
                    self.lanes.backlog_is_empty(&account);
                    continue;
                }
                (Next::BacklogAfter(account, _), Some((outgoing, _)))
                    if !self
                        .lanes
                        .may_follow(outgoing.ticket.id, &account, &outgoing.ticket.topic) =>
                {
                    blocked.insert(account);
                    continue;
                }
                (_, Some(found)) => found,
            };
            let ticket = &outgoing.ticket;
            self.lanes.sent(ticket.id, &ticket.account, &ticket.topic);
            match self.still_wanted(outgoing, accepted) {
                Ok(outgoing) => {
                    taken_bytes += outgoing.ticket.size;
                    taken.push(outgoing);
                }
                Err(ticket) => {
                    self.context.counts.expired += 1;
                    self.out(
                        &ticket,
                        Outcome::Dropped("it had expired before it could be sent".to_owned()),
                    );
                }
            }
        }
        Ok(())
    }

    /// The message with what is left of its expiry; its ticket where it is too old.
    fn still_wanted(&self, mut outgoing: Outgoing, accepted: i64) -> Result<Outgoing, MessageRef> {
        let Some(age) = self.context.age(accepted) else {
            return Ok(outgoing);
        };
        let expiry = &mut outgoing.message.properties.message_expiry;
        if let Some(seconds) = expiry {
            let left = Duration::from_secs((*seconds).into()).saturating_sub(age).as_secs();
            // AWS takes no expiry below a second, so what has less than that left is too old.
            *seconds = u32::try_from(left).unwrap_or(u32::MAX);
        }
        match *expiry == Some(0) || age > self.context.bounds.max_age {
            true => Err(outgoing.ticket),
            false => Ok(outgoing),
        }
    }

    fn row(&self, id: i64) -> rusqlite::Result<Option<(Outgoing, i64)>> {
        self.database
            .prepare_cached(
                "SELECT id, topic, payload, properties, accepted, retain, account FROM outbox WHERE id = ?1",
            )?
            .query_row((id,), outgoing)
            .optional()
    }

    fn first_of_backlog(&self, account: &Account, mut position: i64) -> rusqlite::Result<Option<(Outgoing, i64)>> {
        let mut first = self.database.prepare_cached(
            "SELECT id, topic, payload, properties, accepted, retain, account FROM outbox
             WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT 1",
        )?;
        loop {
            match first.query_row((account.as_str(), position), outgoing).optional()? {
                // What has come through the express lane, is going to, or was acknowledged there and is only not deleted yet.
                Some((found, _))
                    if self.lanes.is_express(found.ticket.id) || self.acknowledged.contains(&found.ticket.id) =>
                {
                    position = found.ticket.id;
                }
                found => return Ok(found),
            }
        }
    }

    /// AWS has acknowledged the message. It is deleted with the next commit; a loss of power before that sends it again.
    pub(super) fn acknowledged(&mut self, ticket: &MessageRef) {
        // Somebody may have purged it meanwhile.
        if self.lanes.is_in_flight(ticket.id) {
            self.context.counts.acknowledged += 1;
            self.out(ticket, Outcome::Acknowledged);
        }
    }

    fn out(&mut self, ticket: &MessageRef, fate: Outcome) {
        self.lanes.gone(ticket.id, &ticket.account, &ticket.topic);
        self.queued.less(ticket.size);
        self.less_of(&ticket.account, ticket.size);
        self.acknowledged.insert(ticket.id);
        self.context.tell(ticket.id, fate);
    }

    /// AWS does not take the message: it is kept aside with the reason.
    pub(super) fn park(&mut self, ticket: &MessageRef, reason: &str) -> rusqlite::Result<()> {
        if !self.lanes.is_in_flight(ticket.id) {
            return Ok(());
        }
        let parked = self
            .database
            .prepare_cached(
                "INSERT OR REPLACE INTO parked (id, topic, payload, retain, properties, accepted, parked, reason, account)
                 SELECT id, topic, payload, retain, properties, accepted, ?2, ?3, account FROM outbox WHERE id = ?1",
            )?
            .execute((ticket.id, self.context.now_ms(), reason))?;
        self.delete(ticket, Outcome::Parked(reason.to_owned()))?;
        self.context.counts.parked += 1;
        let mut forgotten = 0;
        // And no more of them than the outbox may have.
        while self.parked_rows()? > PARKED || self.parked_bytes()? > self.context.bounds.max_bytes {
            match self.forget_parked()? {
                0 => break,
                some => forgotten += some,
            }
        }
        self.context.counts.dropped += u64::try_from(forgotten).unwrap_or(0);
        let more = i64::try_from(parked).unwrap_or(0) - i64::try_from(forgotten).unwrap_or(0);
        self.with_commit(Change::Parked(more));
        Ok(())
    }
}

impl Database {
    fn parked_rows(&self) -> rusqlite::Result<i64> {
        let count = "SELECT count(*) FROM parked";
        self.database.prepare_cached(count)?.query_row((), |row| row.get(0))
    }

    /// Deletes the oldest of the account that has most, and there of those whose topics, but for the last level, most parked messages
    /// have in common: who makes up topics drives nobody else's out.
    fn forget_parked(&self) -> rusqlite::Result<usize> {
        self.database
            .prepare_cached(
                "WITH most AS (SELECT account FROM parked GROUP BY account ORDER BY count(*) DESC, min(id) LIMIT 1),
                 above AS (SELECT id, rtrim(topic, replace(topic, '/', '')) AS level FROM parked JOIN most USING (account))
                 DELETE FROM parked WHERE id = (SELECT min(id) FROM above WHERE level =
                 (SELECT level FROM above GROUP BY level ORDER BY count(*) DESC, min(id) LIMIT 1))",
            )?
            .execute(())
    }

    fn parked_bytes(&self) -> rusqlite::Result<u64> {
        let sum = "SELECT coalesce(sum(length(payload) + length(topic)), 0) FROM parked";
        self.database.prepare_cached(sum)?.query_row((), |row| row.get(0))
    }
}

fn full(bounds: &Bounds, size: u64) -> Problem {
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
    Problem::wait(message).next("gatepost status shows why messages are not sent; gatepost outbox list, which they are")
}

/// The ticket in the first five columns: id, topic, payload's length, properties' length, account.
pub(super) fn ticket(row: &Row) -> rusqlite::Result<MessageRef> {
    let topic: String = row.get(1)?;
    Ok(MessageRef {
        id: row.get(0)?,
        size: size(&topic, row.get(2)?, row.get::<_, Option<usize>>(3)?.unwrap_or(0)),
        topic,
        account: Account::new(row.get::<_, String>(4)?),
    })
}

fn outgoing(row: &Row) -> rusqlite::Result<(Outgoing, i64)> {
    let topic: String = row.get(1)?;
    let payload = row.get_ref(2)?.as_blob()?;
    let properties = row.get_ref(3)?.as_str_or_null()?;
    let message = Message {
        payload: bytes::Bytes::copy_from_slice(payload),
        retain: row.get(5)?,
        properties: Properties::from_json(properties),
        topic: topic.clone(),
    };
    let ticket = MessageRef {
        id: row.get(0)?,
        size: size(&topic, payload.len(), properties.map_or(0, str::len)),
        topic,
        account: Account::new(row.get::<_, String>(6)?),
    };
    Ok((Outgoing { ticket, message }, row.get(4)?))
}
