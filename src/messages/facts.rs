//! The little that the session must know after a restart.

use rusqlite::{Connection, OptionalExtension as _};

use super::books::Books;

/// A fact that was noted.
pub(super) fn fact(database: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    database
        .query_row("SELECT value FROM fact WHERE name = ?1", (name,), |row| row.get(0))
        .optional()
}

impl Books {
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

    /// The filters that AWS's side of the session has.
    pub(super) fn subscribed(&self) -> rusqlite::Result<Vec<(String, u8)>> {
        let mut filters = self.database.prepare("SELECT filter, qos FROM subscribed")?;
        filters.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Notes them.
    pub(super) fn note_subscribed(&mut self, filters: &[(String, u8)]) -> rusqlite::Result<()> {
        self.database.execute("DELETE FROM subscribed", ())?;
        for (filter, qos) in filters {
            self.database
                .execute("INSERT INTO subscribed (filter, qos) VALUES (?1, ?2)", (filter, qos))?;
        }
        Ok(())
    }
}
