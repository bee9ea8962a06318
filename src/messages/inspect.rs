//! What people see of the outbox and do to it: list, show, purge, retry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{OptionalExtension as _, Row};
use serde::Serialize;

use super::context::Outcome;
use super::database::{Change, Database};
use super::message::Properties;
use super::outbox::{SubmitError, ticket};
use crate::clock::rfc3339;

/// Messages in one page of a list.
pub const PAGE: usize = 100;
/// Messages that are purged or retried in one step.
const STEP: u32 = 500;

/// A message in the outbox, or parked.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// `queued`, `sent` (with AWS, which has not answered yet) or `parked`.
    pub state: &'static str,
    /// Where to.
    pub topic: String,
    /// The payload's bytes.
    pub bytes: usize,
    /// When it was accepted, RFC 3339, by the clock of that moment.
    pub accepted: String,
    /// Whether the broker shall keep it.
    pub retain: bool,
    /// Why it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A message with all there is to it.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    #[serde(flatten)]
    entry: Entry,
    #[serde(flatten)]
    properties: Properties,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

/// Which messages somebody means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(i64),
    /// Everything that waits to be sent.
    Queued,
    /// Everything that AWS did not take.
    Parked,
}

const COLUMNS: &str = "id, topic, length(payload), length(CAST(properties AS BLOB)), account, accepted, retain";

impl Database {
    /// A page of messages after number `after`, the parked ones first.
    pub(super) fn list(&self, after: i64, parked: bool) -> rusqlite::Result<Vec<Entry>> {
        let (table, reason) = if parked {
            ("parked", "reason")
        } else {
            ("outbox", "NULL")
        };
        let mut page = self.database.prepare_cached(&format!(
            "SELECT {COLUMNS}, {reason} FROM {table} WHERE id > ?1 ORDER BY id"
        ))?;
        let mut rows = page.query((after,))?;
        let mut entries = Vec::new();
        while entries.len() < PAGE
            && let Some(row) = rows.next()?
        {
            let entry = self.entry(row, parked)?;
            // Its end is only not written yet. It takes no place either: a page is empty only behind the last message.
            if !self.acknowledged.contains(&entry.id) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn entry(&self, row: &Row, parked: bool) -> rusqlite::Result<Entry> {
        let id = row.get(0)?;
        let accepted = u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0);
        Ok(Entry {
            id,
            state: match (parked, self.lanes.is_in_flight(id)) {
                (true, _) => "parked",
                (false, true) => "sent",
                (false, false) => "queued",
            },
            topic: row.get(1)?,
            bytes: row.get(2)?,
            accepted: rfc3339(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(accepted)),
            retain: row.get(6)?,
            reason: row.get(7)?,
        })
    }

    /// One message, if there is one of this number.
    pub(super) fn show_one(&self, id: i64) -> rusqlite::Result<Option<Whole>> {
        for (table, reason, parked) in [("parked", "reason", true), ("outbox", "NULL", false)] {
            let sql = format!("SELECT {COLUMNS}, {reason}, properties, payload FROM {table} WHERE id = ?1");
            let found = self.database.prepare_cached(&sql)?.query_row((id,), |row| {
                let payload: Vec<u8> = row.get(9)?;
                let (text, base64) = match String::from_utf8(payload) {
                    Ok(text) => (Some(text), None),
                    Err(bytes) => (None, Some(STANDARD.encode(bytes.as_bytes()))),
                };
                Ok(Whole {
                    entry: self.entry(row, parked)?,
                    properties: Properties::from_json(row.get_ref(8)?.as_str_or_null()?),
                    payload: text,
                    payload_base64: base64,
                })
            });
            if let Some(found) = found.optional()? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Deletes messages; returns how many, and whether there may be more of them.
    pub(super) fn purge(&mut self, which: Which) -> rusqlite::Result<(usize, bool)> {
        match which {
            Which::Parked => {
                let deleted = self.delete_all_parked()?;
                Ok((deleted, deleted == usize::try_from(STEP).unwrap_or(0)))
            }
            Which::One(id) => match self.delete_parked_one(id)? {
                0 => self.delete_queued("id = ?1", id),
                parked => Ok((parked, false)),
            },
            Which::Queued => self.delete_queued("id > ?1", 0),
        }
    }

    fn delete_all_parked(&mut self) -> rusqlite::Result<usize> {
        let sql = format!("DELETE FROM parked WHERE id IN (SELECT id FROM parked ORDER BY id LIMIT {STEP})");
        let deleted = self.database.prepare_cached(&sql)?.execute(())?;
        self.with_commit(Change::Parked(-i64::try_from(deleted).unwrap_or(0)));
        Ok(deleted)
    }

    fn delete_parked_one(&mut self, id: i64) -> rusqlite::Result<usize> {
        let deleted = self
            .database
            .prepare_cached("DELETE FROM parked WHERE id = ?1")?
            .execute((id,))?;
        self.with_commit(Change::Parked(-i64::try_from(deleted).unwrap_or(0)));
        Ok(deleted)
    }

    fn delete_queued(&mut self, condition: &str, id: i64) -> rusqlite::Result<(usize, bool)> {
        let sql = format!("SELECT {COLUMNS} FROM outbox WHERE {condition} ORDER BY id LIMIT {STEP}");
        let tickets: Vec<_> = self
            .database
            .prepare_cached(&sql)?
            .query_map((id,), ticket)?
            .collect::<rusqlite::Result<_>>()?;
        let more = tickets.len() == usize::try_from(STEP).unwrap_or(0);
        let mut deleted = 0;
        for ticket in tickets {
            // Gone as well with this commit, and not because of us.
            if self.acknowledged.contains(&ticket.id) {
                continue;
            }
            self.database
                .prepare_cached("DELETE FROM outbox WHERE id = ?1")?
                .execute((ticket.id,))?;
            self.with_commit(Change::Out {
                id: ticket.id,
                topic: ticket.topic,
                size: ticket.size,
                account: ticket.account,
                fate: Outcome::Dropped("somebody purged it".to_owned()),
            });
            deleted += 1;
        }
        Ok((deleted, more))
    }

    /// Puts parked messages back into the outbox, behind what is there; returns how many, and whether there may be more.
    pub(super) fn retry(&mut self, which: Which) -> rusqlite::Result<Result<(usize, bool), SubmitError>> {
        let (condition, id) = match which {
            Which::One(id) => ("id = ?1", id),
            Which::Queued | Which::Parked => ("id > ?1", 0),
        };
        let sql = format!("SELECT {COLUMNS} FROM parked WHERE {condition} ORDER BY id LIMIT {STEP}");
        let tickets: Vec<_> = self
            .database
            .prepare_cached(&sql)?
            .query_map((id,), ticket)?
            .collect::<rusqlite::Result<_>>()?;
        let (found, mut retried) = (tickets.len(), 0);
        for ticket in tickets {
            if let Some(problem) = self.make_room(ticket.size)? {
                return Ok(match retried {
                    0 => Err(SubmitError::Full(problem)),
                    // Those that there was room for are back all the same; the next call says why no more are.
                    some => Ok((some, true)),
                });
            }
            let id = self.next_id();
            self.database
                .prepare_cached(
                    "INSERT INTO outbox (id, topic, payload, retain, properties, accepted, account)
                     SELECT ?2, topic, payload, retain, properties, ?3, account FROM parked WHERE id = ?1",
                )?
                .execute((ticket.id, id, self.context.now_ms()))?;
            self.delete_parked_one(ticket.id)?;
            self.with_commit(Change::In {
                id,
                topic: ticket.topic,
                size: ticket.size,
                account: ticket.account,
                waiting: None,
            });
            retried += 1;
        }
        Ok(Ok((retried, found == usize::try_from(STEP).unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::messages::{Account, Bounds, Message, spawn};
    use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

    /// What AWS has acknowledged stays in the database for a moment. Nobody sees it, and it ends neither a list nor a purge.
    #[tokio::test(flavor = "current_thread")]
    async fn what_is_acknowledged_and_not_yet_written_is_in_nobodys_way() {
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
            outbox.acknowledged(taken.into_iter().next().unwrap().ticket).await;
        }
        let page = outbox.list(0, false).await.unwrap();
        let ids: Vec<i64> = page.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, (102..=201).collect::<Vec<i64>>());
        assert_eq!(outbox.purge(Which::Queued).await.unwrap(), 599);
        assert!(outbox.list(0, false).await.unwrap().is_empty());
    }
}
