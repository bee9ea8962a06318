//! Durable subscriptions: their messages are kept on the disk until their program has acknowledged them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::books::{Books, Change, FIRST_ID, Total};
use super::message::{Properties, Received, size};

/// Durable subscriptions at the most.
const MOST: usize = 64;
/// Old messages that make room for one new one, at the most.
const ROOM: u32 = 1000;

/// A durable subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Its number in the database.
    pub(super) number: i64,
    /// Whose it is.
    pub owner: String,
    /// What it is for.
    pub filter: String,
    /// The quality of service.
    pub qos: u8,
    /// What waits for it.
    pub(super) total: Total,
    /// The last message's number.
    pub(super) last: i64,
    /// How many messages it has lost because there was no room.
    pub dropped: u64,
}

/// A durable subscription as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct KeptDocument {
    name: String,
    /// Whose it is, for the access check and for people.
    pub owner: String,
    filter: String,
    qos: u8,
    waiting: u64,
    waiting_bytes: u64,
    dropped: u64,
}

impl KeptDocument {
    /// Whether it is the one of this name.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

/// A message of a durable subscription.
#[derive(Clone, Debug)]
pub struct KeptMessage {
    /// Its number, by which it is acknowledged.
    pub id: i64,
    /// The message.
    pub message: Received,
    /// When it came.
    pub received: SystemTime,
}

/// Why a durable subscription cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// It is somebody else's.
    Owned(String),
    /// There are too many.
    TooMany(usize),
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// What was acknowledged is deleted.
    Done,
    /// There is no such subscription.
    Unknown,
    /// No message has that number yet: the last one has this.
    Beyond(i64),
}

impl Books {
    /// Makes the subscription, or takes it up again; whose it is does not change.
    pub(super) fn keep(
        &mut self,
        name: &str,
        owner: &str,
        filter: &str,
        qos: u8,
    ) -> rusqlite::Result<Result<Kept, NotKept>> {
        if let Some(known) = self.kept_then(name) {
            if known.owner != owner {
                return Ok(Err(NotKept::Owned(known.owner.clone())));
            }
            let kept = Kept {
                filter: filter.to_owned(),
                qos,
                ..known.clone()
            };
            if kept != *known {
                self.database
                    .prepare_cached("UPDATE subscription SET filter = ?2, qos = ?3 WHERE number = ?1")?
                    .execute((kept.number, filter, qos))?;
                self.with_commit(Change::Kept(kept.clone()));
            }
            return Ok(Ok(kept));
        }
        if self.kept.len() >= MOST {
            return Ok(Err(NotKept::TooMany(MOST)));
        }
        self.database
            .prepare_cached("INSERT INTO subscription (name, owner, filter, qos, last) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute((name, owner, filter, qos, self.bookkeeper.first_id))?;
        let kept = Kept {
            name: name.to_owned(),
            number: self.database.last_insert_rowid(),
            owner: owner.to_owned(),
            filter: filter.to_owned(),
            qos,
            total: Total::default(),
            last: self.bookkeeper.first_id,
            dropped: 0,
        };
        self.with_commit(Change::Kept(kept.clone()));
        Ok(Ok(kept))
    }

    /// Leaves what the next database is to know, because this one is broken.
    pub(super) fn hand_over(&mut self) {
        // What this one itself had yet to be told goes on to the next.
        let owed = std::mem::take(&mut self.bookkeeper.to_keep).into_iter();
        let owed = owed.filter(|kept| !self.kept.contains_key(&kept.name));
        self.bookkeeper.to_keep = owed.chain(self.kept.values().cloned()).collect();
        self.bookkeeper.last_id = self.last_id();
        self.bookkeeper.owed = true;
    }

    /// Notes what the broken one before it has left.
    pub(super) fn take_over(&mut self) -> rusqlite::Result<()> {
        self.keep_again()?;
        if let Some(filters) = self.bookkeeper.subscribed.clone() {
            self.note_subscribed(&filters)?;
        }
        self.note_fact(FIRST_ID, &self.bookkeeper.first_id.to_string())
    }

    /// Takes over the subscriptions of a database that broke: without their messages, and with their numbers going on.
    fn keep_again(&mut self) -> rusqlite::Result<()> {
        for kept in self.bookkeeper.to_keep.clone() {
            let again = self.keep(&kept.name, &kept.owner, &kept.filter, kept.qos)?;
            if let Ok(mut again) = again {
                again.last = again.last.max(kept.last);
                self.forget(&again, 0)?;
                self.with_commit(Change::Kept(again));
            }
        }
        Ok(())
    }

    /// Ends the subscription and forgets what waits for it.
    pub(super) fn unkeep(&mut self, name: &str) -> rusqlite::Result<bool> {
        let Some(number) = self.kept_then(name).map(|kept| kept.number) else {
            return Ok(false);
        };
        self.database
            .execute("DELETE FROM inbox WHERE subscription = ?1", (number,))?;
        self.database
            .execute("DELETE FROM subscription WHERE number = ?1", (number,))?;
        self.with_commit(Change::Unkept(name.to_owned()));
        Ok(true)
    }

    /// Stores a message for each of these subscriptions, where they still exist. The oldest make room.
    pub(super) fn deliver(&mut self, names: &[String], message: &Received) -> rusqlite::Result<()> {
        let properties = message.properties.to_json();
        let bytes = size(
            &message.topic,
            message.payload.len(),
            properties.as_ref().map_or(0, String::len),
        );
        for name in names {
            let Some(mut kept) = self.kept_then(name).cloned() else {
                continue;
            };
            self.make_room_in(&mut kept, bytes)?;
            kept.last += 1;
            self.database
                .prepare_cached(
                    "INSERT INTO inbox (subscription, id, topic, payload, qos, retained, properties, received)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute((
                    kept.number,
                    kept.last,
                    &message.topic,
                    &message.payload[..],
                    message.qos,
                    message.retained,
                    &properties,
                    self.bookkeeper.now_ms(),
                ))?;
            kept.total.messages += 1;
            kept.total.bytes += bytes;
            self.adds(bytes);
            self.with_commit(Change::Kept(kept));
        }
        Ok(())
    }

    fn make_room_in(&mut self, kept: &mut Kept, bytes: u64) -> rusqlite::Result<()> {
        let (most_bytes, most) = (
            self.bookkeeper.bounds.inbox_max_bytes,
            self.bookkeeper.bounds.inbox_max_messages,
        );
        let full = |total: &Total| total.messages >= most || total.bytes.saturating_add(bytes) > most_bytes;
        if !full(&kept.total) {
            return Ok(());
        }
        let mut last = None;
        {
            let mut oldest = self.database.prepare_cached(
                "SELECT id, topic, length(payload), length(CAST(properties AS BLOB)) FROM inbox
                 WHERE subscription = ?1 ORDER BY id LIMIT ?2",
            )?;
            let mut rows = oldest.query((kept.number, ROOM))?;
            while full(&kept.total)
                && let Some(row) = rows.next()?
            {
                kept.total.less(row_size(row)?);
                kept.dropped += 1;
                self.bookkeeper.counts.inbox_dropped += 1;
                last = Some(row.get::<_, i64>(0)?);
            }
        }
        if let Some(last) = last {
            self.forget(kept, last)?;
        }
        Ok(())
    }

    fn forget(&self, kept: &Kept, up_to: i64) -> rusqlite::Result<()> {
        self.database
            .prepare_cached("DELETE FROM inbox WHERE subscription = ?1 AND id <= ?2")?
            .execute((kept.number, up_to))?;
        self.database
            .prepare_cached("UPDATE subscription SET last = ?2, dropped = ?3 WHERE number = ?1")?
            .execute((kept.number, kept.last, i64::try_from(kept.dropped).unwrap_or(i64::MAX)))?;
        Ok(())
    }

    /// The next messages after number `after`: at most `most`, and no more than `bytes` of them unless it is one.
    pub(super) fn read_kept(
        &self,
        name: &str,
        after: i64,
        most: usize,
        bytes: usize,
    ) -> rusqlite::Result<Option<Vec<KeptMessage>>> {
        let Some(kept) = self.kept.get(name) else {
            return Ok(None);
        };
        let mut next = self.database.prepare_cached(
            "SELECT id, topic, payload, qos, retained, properties, received FROM inbox
             WHERE subscription = ?1 AND id > ?2 ORDER BY id",
        )?;
        let mut rows = next.query((kept.number, after))?;
        let (mut messages, mut taken) = (Vec::new(), 0);
        while messages.len() < most
            && taken < bytes
            && let Some(row) = rows.next()?
        {
            let message = kept_message(row)?;
            taken += message.message.payload.len();
            messages.push(message);
        }
        Ok(Some(messages))
    }

    /// The program has everything up to number `up_to`.
    pub(super) fn acknowledge_kept(&mut self, name: &str, up_to: i64) -> rusqlite::Result<Acknowledged> {
        let Some(mut kept) = self.kept_then(name).cloned() else {
            return Ok(Acknowledged::Unknown);
        };
        if up_to > kept.last {
            return Ok(Acknowledged::Beyond(kept.last));
        }
        {
            let mut gone = self.database.prepare_cached(
                "SELECT id, topic, length(payload), length(CAST(properties AS BLOB)) FROM inbox
                 WHERE subscription = ?1 AND id <= ?2",
            )?;
            let mut rows = gone.query((kept.number, up_to))?;
            while let Some(row) = rows.next()? {
                kept.total.less(row_size(row)?);
            }
        }
        self.forget(&kept, up_to)?;
        self.with_commit(Change::Kept(kept));
        Ok(Acknowledged::Done)
    }

    /// What there is.
    pub(super) fn list_kept(&self) -> Vec<KeptDocument> {
        let document = |kept: &Kept| KeptDocument {
            name: kept.name.clone(),
            owner: kept.owner.clone(),
            filter: kept.filter.clone(),
            qos: kept.qos,
            waiting: kept.total.messages,
            waiting_bytes: kept.total.bytes,
            dropped: kept.dropped,
        };
        self.kept.values().map(document).collect()
    }
}

/// What is in the database.
pub(super) fn load(database: &Connection) -> rusqlite::Result<BTreeMap<String, Kept>> {
    let mut all = BTreeMap::new();
    let mut subscriptions =
        database.prepare("SELECT number, name, owner, filter, qos, dropped, last FROM subscription")?;
    let mut rows = subscriptions.query(())?;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        let (total, last) = waiting(database, number)?;
        let kept = Kept {
            number,
            name: row.get(1)?,
            owner: row.get(2)?,
            filter: row.get(3)?,
            qos: row.get(4)?,
            dropped: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
            total,
            // A number is never used again: a program may still acknowledge it.
            last: last.max(row.get(6)?),
        };
        all.insert(kept.name.clone(), kept);
    }
    Ok(all)
}

fn waiting(database: &Connection, number: i64) -> rusqlite::Result<(Total, i64)> {
    let (mut total, mut last) = (Total::default(), 0);
    let mut inbox = database.prepare_cached(
        "SELECT id, topic, length(payload), length(CAST(properties AS BLOB)) FROM inbox WHERE subscription = ?1",
    )?;
    let mut rows = inbox.query((number,))?;
    while let Some(row) = rows.next()? {
        total.messages += 1;
        total.bytes += row_size(row)?;
        last = row.get(0)?;
    }
    Ok((total, last))
}

fn row_size(row: &Row) -> rusqlite::Result<u64> {
    let topic = row.get_ref(1)?;
    Ok(size(
        topic.as_str()?,
        row.get(2)?,
        row.get::<_, Option<usize>>(3)?.unwrap_or(0),
    ))
}

fn kept_message(row: &Row) -> rusqlite::Result<KeptMessage> {
    let received = u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0);
    Ok(KeptMessage {
        id: row.get(0)?,
        message: Received {
            topic: row.get(1)?,
            payload: Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?),
            qos: row.get(3)?,
            retained: row.get(4)?,
            properties: Properties::from_json(row.get_ref(5)?.as_str_or_null()?),
        },
        received: SystemTime::UNIX_EPOCH + Duration::from_millis(received),
    })
}
