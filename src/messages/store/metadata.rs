//! Named values in the database: what gatepost must know after a restart besides the messages.

use rusqlite::{Connection, OptionalExtension as _};

use crate::messages::subscription_state::SubscriptionState;

/// Set once the filters were stored, even if there are none.
const SUBSCRIBED: &str = "subscribed";

/// Reads a value.
pub(in crate::messages) fn read(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("SELECT value FROM fact WHERE name = ?1", (name,), |row| row.get(0))
        .optional()
}

/// Reads a number; 0 if there is none.
pub(in crate::messages) fn read_number(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let value = read(connection, name)?;
    Ok(value.and_then(|value| value.parse().ok()).unwrap_or(0))
}

/// Writes a value, unless it is there already.
pub(in crate::messages) fn write(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    if read(connection, name)?.as_deref() != Some(value) {
        connection.execute(
            "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)",
            (name, value),
        )?;
    }
    Ok(())
}

/// Reads the filters that AWS's side of the session has; `None` if they were never stored.
pub(in crate::messages) fn read_subscribed(
    connection: &Connection,
) -> rusqlite::Result<Option<Vec<(String, SubscriptionState)>>> {
    let mut filters = connection.prepare("SELECT filter, qos FROM subscribed")?;
    let filters: Vec<_> = filters
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let stored = !filters.is_empty() || read(connection, SUBSCRIBED)?.is_some();
    Ok(stored.then_some(filters))
}

/// Stores the filters that AWS's side of the session has.
pub(in crate::messages) fn write_subscribed(
    connection: &Connection,
    filters: &[(String, SubscriptionState)],
) -> rusqlite::Result<()> {
    write(connection, SUBSCRIBED, "noted")?;
    connection.execute("DELETE FROM subscribed", ())?;
    for (filter, state) in filters {
        connection.execute("INSERT INTO subscribed (filter, qos) VALUES (?1, ?2)", (filter, state))?;
    }
    Ok(())
}
