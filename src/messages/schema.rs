//! The schema of the message database, and the steps that bring an older file to it.
//!
//! A step's SQL is one transaction together with the version that it leads to: a kill or a loss of power in the middle of it leaves
//! the file as it was before. What a step prepares beforehand may be many transactions, and goes on where it was interrupted.

use rusqlite::Connection;

use super::owner::Owner;

/// Bytes that one transaction moves, about, so that a migration needs neither the memory nor the disk space for all of it.
const MOVED_AT_ONCE: u64 = 256 * 1024;

/// A step from one schema to the next.
#[derive(Debug)]
pub(super) struct Step {
    /// Run before the SQL, outside of its transaction.
    prepare: Option<fn(&Connection) -> rusqlite::Result<()>>,
    pub(super) sql: &'static str,
    /// Run after the SQL, within its transaction.
    finish: Option<fn(&Connection) -> rusqlite::Result<()>>,
}

/// The steps; the number of those that were taken is the file's `user_version`.
pub(super) const STEPS: &[Step] = &[
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
    // A message for several durable subscriptions is stored once, in `message`, and each has a row in `delivery`. Owners have a
    // stable form. The account of a message to AWS decides whose turn it is; that of older messages is not known.
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
        finish: Some(name_owners),
    },
    Step {
        prepare: Some(move_copies),
        sql: "DROP TABLE inbox;",
        finish: None,
    },
    // A message that no rule gave when its turn came is withheld: it is not acknowledged with those behind it.
    Step {
        prepare: None,
        sql: "ALTER TABLE delivery ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;",
        finish: None,
    },
];

/// Takes the steps that are missing from `version` on.
pub(super) fn migrate(database: &Connection, version: usize) -> rusqlite::Result<()> {
    let missing = STEPS.get(version..).unwrap_or_default();
    for (step, number) in missing.iter().zip(version + 1..) {
        if let Some(prepare) = step.prepare {
            prepare(database)?;
        }
        in_transaction(database, || {
            database.execute_batch(step.sql)?;
            if let Some(finish) = step.finish {
                finish(database)?;
            }
            database.pragma_update(None, "user_version", number)
        })?;
    }
    Ok(())
}

fn in_transaction(database: &Connection, work: impl FnOnce() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    database.execute_batch("BEGIN")?;
    let outcome = work().and_then(|()| database.execute_batch("COMMIT"));
    if outcome.is_err() && !database.is_autocommit() {
        let _ = database.execute_batch("ROLLBACK");
    }
    outcome
}

/// Makes owners of the sentences that schema 1 has for them.
fn name_owners(database: &Connection) -> rusqlite::Result<()> {
    let mut all = database.prepare("SELECT number, owner FROM subscription")?;
    let all: Vec<(i64, String)> = all
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut update = database.prepare("UPDATE subscription SET owner = ?2 WHERE number = ?1")?;
    for (number, prose) in all {
        update.execute((number, Owner::from_prose(&prose).to_text()))?;
    }
    Ok(())
}

/// Moves what durable subscriptions have in schema 2's `inbox`, a row for each copy, into `message` and `delivery`.
fn move_copies(database: &Connection) -> rusqlite::Result<()> {
    let mut more = true;
    while more {
        in_transaction(database, || {
            more = move_some_copies(database)?;
            Ok(())
        })?;
    }
    Ok(())
}

fn move_some_copies(database: &Connection) -> rusqlite::Result<bool> {
    let mut next = database
        .prepare_cached("SELECT subscription, id, length(payload) FROM inbox ORDER BY subscription, id LIMIT 1")?;
    let mut insert = database.prepare_cached(
        "INSERT INTO message (topic, payload, qos, retained, properties, received)
         SELECT topic, payload, qos, retained, properties, received FROM inbox WHERE subscription = ?1 AND id = ?2",
    )?;
    let mut refer = database.prepare_cached("INSERT INTO delivery (subscription, id, message) VALUES (?1, ?2, ?3)")?;
    let mut delete = database.prepare_cached("DELETE FROM inbox WHERE subscription = ?1 AND id = ?2")?;
    let mut moved = 0;
    while moved < MOVED_AT_ONCE {
        let mut rows = next.query(())?;
        let Some(row) = rows.next()? else {
            return Ok(false);
        };
        let key: (i64, i64) = (row.get(0)?, row.get(1)?);
        // A row costs more than its payload.
        moved += 512 + row.get::<_, u64>(2)?;
        drop(rows);
        insert.execute(key)?;
        refer.execute((key.0, key.1, database.last_insert_rowid()))?;
        delete.execute(key)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
