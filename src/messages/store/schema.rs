//! The schema of the message database, and the steps that migrate an older file to it.
//!
//! The SQL of a step and the new version number are one transaction: a kill or a power cut in the middle leaves the file as
//! it was. The preparation of a step may take many transactions, and resumes where it was interrupted.

use rusqlite::Connection;

use crate::messages::owner::Owner;

/// About how many bytes one transaction moves, so that a migration does not need memory and disk space for all messages at once.
const BYTES_PER_TRANSACTION: u64 = 256 * 1024;

/// A step from one schema to the next.
#[derive(Debug)]
pub(in crate::messages) struct Step {
    /// Run before the SQL, outside of its transaction.
    prepare: Option<fn(&Connection) -> rusqlite::Result<()>>,
    pub(in crate::messages) sql: &'static str,
    /// Run after the SQL, within its transaction.
    finish: Option<fn(&Connection) -> rusqlite::Result<()>>,
}

/// The migration steps. The file's `user_version` is the number of steps it has taken.
pub(in crate::messages) const STEPS: &[Step] = &[
    Step {
        prepare: None,
        sql: "
    CREATE TABLE outbox (
        id         INTEGER PRIMARY KEY,
        topic      TEXT    NOT NULL,
        payload    BLOB    NOT NULL,
        retain     INTEGER NOT NULL,
        properties TEXT,
        accepted   INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE parked (
        id         INTEGER PRIMARY KEY,
        topic      TEXT    NOT NULL,
        payload    BLOB    NOT NULL,
        retain     INTEGER NOT NULL,
        properties TEXT,
        accepted   INTEGER NOT NULL,
        parked     INTEGER NOT NULL,
        reason     TEXT    NOT NULL
    ) STRICT;
    CREATE TABLE subscription (
        number     INTEGER PRIMARY KEY,
        name       TEXT    NOT NULL UNIQUE,
        owner      TEXT    NOT NULL,
        filter     TEXT    NOT NULL,
        qos        INTEGER NOT NULL,
        last       INTEGER NOT NULL DEFAULT 0,
        dropped    INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE inbox (
        subscription INTEGER NOT NULL,
        id           INTEGER NOT NULL,
        topic        TEXT    NOT NULL,
        payload      BLOB    NOT NULL,
        qos          INTEGER NOT NULL,
        retained     INTEGER NOT NULL,
        properties   TEXT,
        received     INTEGER NOT NULL,
        PRIMARY KEY (subscription, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE subscribed (filter TEXT PRIMARY KEY, qos INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
        finish: None,
    },
    // A message for several durable subscriptions is stored once, in `message`, and each subscription has a row in `delivery`.
    // Owners have a stable encoding. Messages to AWS have an account, by which the schedule is fair; that of older messages is
    // unknown.
    Step {
        prepare: None,
        sql: "
    CREATE TABLE message (
        id         INTEGER PRIMARY KEY,
        topic      TEXT    NOT NULL,
        payload    BLOB    NOT NULL,
        qos        INTEGER NOT NULL,
        retained   INTEGER NOT NULL,
        properties TEXT,
        received   INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE delivery (
        subscription INTEGER NOT NULL,
        id           INTEGER NOT NULL,
        message      INTEGER NOT NULL,
        PRIMARY KEY (subscription, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX delivery_message ON delivery (message);
    ALTER TABLE outbox ADD COLUMN account TEXT NOT NULL DEFAULT '';
    ALTER TABLE parked ADD COLUMN account TEXT NOT NULL DEFAULT '';
    CREATE INDEX outbox_account ON outbox (account);
",
        finish: Some(convert_owners),
    },
    Step {
        prepare: Some(move_copies),
        sql: "DROP TABLE inbox;",
        finish: None,
    },
    // A message that no rule allowed when its turn came is withheld: an acknowledgement of later messages does not delete it.
    Step {
        prepare: None,
        sql: "ALTER TABLE delivery ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;",
        finish: None,
    },
    // The session of an MQTT client is a durable subscription with several filters.
    Step {
        prepare: None,
        sql: "ALTER TABLE subscription ADD COLUMN session TEXT;",
        finish: None,
    },
];

/// Takes the steps from `version` to the newest schema.
pub(in crate::messages) fn migrate(connection: &Connection, version: usize) -> rusqlite::Result<()> {
    let missing = STEPS.get(version..).unwrap_or_default();
    for (step, number) in missing.iter().zip(version + 1..) {
        if let Some(prepare) = step.prepare {
            prepare(connection)?;
        }
        in_transaction(connection, || {
            connection.execute_batch(step.sql)?;
            if let Some(finish) = step.finish {
                finish(connection)?;
            }
            connection.pragma_update(None, "user_version", number)
        })?;
    }
    Ok(())
}

fn in_transaction(connection: &Connection, work: impl FnOnce() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN")?;
    let outcome = work().and_then(|()| connection.execute_batch("COMMIT"));
    if outcome.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    outcome
}

/// Converts the prose in which schema 1 stores owners.
fn convert_owners(connection: &Connection) -> rusqlite::Result<()> {
    let mut all = connection.prepare("SELECT number, owner FROM subscription")?;
    let all: Vec<(i64, String)> = all
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut update = connection.prepare("UPDATE subscription SET owner = ?2 WHERE number = ?1")?;
    for (number, prose) in all {
        update.execute((number, Owner::from_prose(&prose).to_text()))?;
    }
    Ok(())
}

/// Moves the messages of durable subscriptions from the `inbox` of schema 2, which has a row for each copy, to `message` and
/// `delivery`.
fn move_copies(connection: &Connection) -> rusqlite::Result<()> {
    let mut more = true;
    while more {
        in_transaction(connection, || {
            more = move_some_copies(connection)?;
            Ok(())
        })?;
    }
    Ok(())
}

fn move_some_copies(connection: &Connection) -> rusqlite::Result<bool> {
    let mut next = connection
        .prepare_cached("SELECT subscription, id, length(payload) FROM inbox ORDER BY subscription, id LIMIT 1")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO message (topic, payload, qos, retained, properties, received)
         SELECT topic, payload, qos, retained, properties, received FROM inbox WHERE subscription = ?1 AND id = ?2",
    )?;
    let mut refer =
        connection.prepare_cached("INSERT INTO delivery (subscription, id, message) VALUES (?1, ?2, ?3)")?;
    let mut delete = connection.prepare_cached("DELETE FROM inbox WHERE subscription = ?1 AND id = ?2")?;
    let mut moved = 0;
    while moved < BYTES_PER_TRANSACTION {
        let mut rows = next.query(())?;
        let Some(row) = rows.next()? else {
            return Ok(false);
        };
        let key: (i64, i64) = (row.get(0)?, row.get(1)?);
        // A row takes more space than its payload.
        moved += 512 + row.get::<_, u64>(2)?;
        drop(rows);
        insert.execute(key)?;
        refer.execute((key.0, key.1, connection.last_insert_rowid()))?;
        delete.execute(key)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
