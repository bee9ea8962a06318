//! The little that the session must know after a restart.

use rusqlite::{Connection, OptionalExtension as _};

use super::database::Database;
use super::subscription_state::SubscriptionState;

/// The fact that the filters were noted, even if there are none.
const SUBSCRIBED: &str = "subscribed";

/// A fact that was noted.
pub(super) fn fact(database: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    database
        .query_row("SELECT value FROM fact WHERE name = ?1", (name,), |row| row.get(0))
        .optional()
}

/// A number that was noted; 0 where there is none.
pub(super) fn number(database: &Connection, name: &str) -> rusqlite::Result<i64> {
    let noted = fact(database, name)?;
    Ok(noted.and_then(|noted| noted.parse().ok()).unwrap_or(0))
}

/// The filters that AWS's side of the session has; `None` where that was never noted.
pub(super) fn subscribed(database: &Connection) -> rusqlite::Result<Option<Vec<(String, SubscriptionState)>>> {
    let mut filters = database.prepare("SELECT filter, qos FROM subscribed")?;
    let filters: Vec<_> = filters
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let noted = !filters.is_empty() || fact(database, SUBSCRIBED)?.is_some();
    Ok(noted.then_some(filters))
}

impl Database {
    /// A fact that was noted.
    pub(super) fn fact(&self, name: &str) -> rusqlite::Result<Option<String>> {
        fact(&self.database, name)
    }

    /// Notes a fact; the same fact again is not written again.
    pub(super) fn note_fact(&mut self, name: &str, value: &str) -> rusqlite::Result<()> {
        if self.fact(name)?.as_deref() != Some(value) {
            self.database.execute(
                "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)",
                (name, value),
            )?;
        }
        Ok(())
    }

    /// Notes the filters that AWS's side of the session has.
    pub(super) fn note_subscribed(&mut self, filters: &[(String, SubscriptionState)]) -> rusqlite::Result<()> {
        self.context.subscribed = Some(filters.to_vec());
        self.note_fact(SUBSCRIBED, "noted")?;
        self.database.execute("DELETE FROM subscribed", ())?;
        for (filter, state) in filters {
            self.database
                .execute("INSERT INTO subscribed (filter, qos) VALUES (?1, ?2)", (filter, state))?;
        }
        Ok(())
    }
}
