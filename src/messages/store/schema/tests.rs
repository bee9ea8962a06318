//! Databases of older versions are migrated to the current schema with all their content, whatever interrupts that.

use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::messages::store::error::OpenError;
use crate::messages::store::file;
use crate::messages::store::paths::with_suffix;

/// Creates a database with schema 1: pages, log and tables, without free pages that can be released.
fn version_1(path: &Path) -> Connection {
    let database = Connection::open(path).unwrap();
    let pragmas = "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL;";
    database.execute_batch(pragmas).unwrap();
    database.execute_batch(STEPS[0].sql).unwrap();
    database.pragma_update(None, "user_version", 1).unwrap();
    database
}

/// Inserts two messages to AWS, one of them parked, and three durable subscriptions with this number of messages each.
fn fill(database: &Connection, messages: i64) {
    database
        .execute_batch(
            "INSERT INTO outbox VALUES (7, 'a', x'01', 0, NULL, 5), (9, 'b', x'02', 1, '{\"contentType\":\"t\"}', 6);
             INSERT INTO parked VALUES (3, 'c', x'03', 0, NULL, 1, 2, 'why');
             INSERT INTO subscription VALUES (1, 'user', 'uid 1000', 'a/#', 1, 4, 2),
                 (2, 'token', 'the holder of the token for user camera, group video', 'b/#', 0, 0, 0),
                 (3, 'other', 'nonsense', 'c/#', 1, 0, 0);
             INSERT INTO subscribed VALUES ('a/#', 1);
             INSERT INTO fact VALUES ('thing', 'gw-1');",
        )
        .unwrap();
    let mut insert = database
        .prepare("INSERT INTO inbox VALUES (?1, ?2, ?3, zeroblob(2000), 1, 0, NULL, ?2)")
        .unwrap();
    for subscription in 1..=3 {
        for id in 5..5 + messages {
            insert.execute((subscription, id, format!("t/{id}"))).unwrap();
        }
    }
}

fn one<T: rusqlite::types::FromSql>(database: &Connection, sql: &str) -> T {
    database.query_row(sql, (), |row| row.get(0)).unwrap()
}

fn assert_migrated(database: &Connection, messages: i64) {
    assert_eq!(
        one::<i64>(database, "PRAGMA user_version"),
        i64::try_from(STEPS.len()).unwrap()
    );
    assert_eq!(one::<i64>(database, "PRAGMA auto_vacuum"), 2);
    assert_eq!(one::<String>(database, "PRAGMA integrity_check"), "ok");
    assert_eq!(
        one::<i64>(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'inbox'"),
        0
    );
    let outbox = "SELECT group_concat(id || topic || hex(payload) || retain || account) FROM outbox";
    assert_eq!(one::<String>(database, outbox), "7a010,9b021");
    assert_eq!(
        one::<String>(database, "SELECT id || topic || reason FROM parked"),
        "3cwhy"
    );
    let owners = "SELECT group_concat(name || ' ' || owner || ' ' || last || ' ' || dropped, ', ') FROM subscription";
    assert_eq!(
        one::<String>(database, owners),
        "user uid=1000 4 2, token token;user=camera;group=video 0 0, other unknown=nonsense 0 0"
    );
    assert_eq!(one::<String>(database, "SELECT filter || qos FROM subscribed"), "a/#1");
    // Each subscription has the same messages with the same numbers, in the same order.
    let mut rows = database
        .prepare(
            "SELECT subscription, delivery.id, topic, length(payload), received FROM delivery
             JOIN message ON message.id = message ORDER BY subscription, delivery.id",
        )
        .unwrap();
    let found: Vec<(i64, i64, String, i64, i64)> = rows
        .query_map((), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let expected =
        (1..=3).flat_map(|number| (5..5 + messages).map(move |id| (number, id, format!("t/{id}"), 2000, id)));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn promise_5_an_older_database_is_migrated_with_its_contents() {
    for messages in [0, 1, 400] {
        let folder = tempfile::tempdir().unwrap();
        let path = file::path(folder.path());
        let old = version_1(&path);
        fill(&old, messages);
        drop(old);
        assert_migrated(&file::open(&path).unwrap(), messages);
        // A second run finds nothing to do.
        assert_migrated(&file::open(&path).unwrap(), messages);
        assert!(!folder.path().join("messages.db-anew").exists());
    }
}

/// A start completes a migration that was killed after any of its transactions.
#[test]
fn promise_5_an_interrupted_migration_continues() {
    let folder = tempfile::tempdir().unwrap();
    let path = file::path(folder.path());
    let old = version_1(&path);
    fill(&old, 400);
    drop(old);
    let database = Connection::open(&path).unwrap();
    let mut interrupted = 0;
    let mut killed = || {
        let after = tempfile::tempdir().unwrap();
        let copy = file::path(after.path());
        for suffix in ["", "-wal"] {
            let name = |path: &Path| with_suffix(path, suffix);
            if name(&path).exists() {
                std::fs::copy(name(&path), name(&copy)).unwrap();
            }
        }
        // The draft of a file that is being shrunk may be incomplete, too.
        std::fs::write(with_suffix(&copy, "-anew"), b"SQLite format 3").unwrap();
        assert_migrated(&file::open(&copy).unwrap(), 400);
        interrupted += 1;
    };
    killed();
    in_transaction(&database, || {
        database.execute_batch(STEPS[1].sql)?;
        convert_owners(&database)?;
        database.pragma_update(None, "user_version", 2)
    })
    .unwrap();
    killed();
    let mut more = true;
    while more {
        more = {
            let mut more = true;
            in_transaction(&database, || {
                more = move_some_copies(&database)?;
                Ok(())
            })
            .unwrap();
            more
        };
        killed();
    }
    assert!(interrupted > 5, "{interrupted}");
}

/// An error in the middle of a step leaves nothing of the step.
#[test]
fn a_step_that_fails_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = file::path(folder.path());
    let old = version_1(&path);
    fill(&old, 3);
    // A conflict with the second step's last table.
    old.execute_batch("CREATE TABLE delivery (x)").unwrap();
    assert!(migrate(&old, 1).is_err());
    assert_eq!(one::<i64>(&old, "PRAGMA user_version"), 1);
    assert_eq!(
        one::<i64>(&old, "SELECT count(*) FROM sqlite_schema WHERE name = 'message'"),
        0
    );
    assert_eq!(
        one::<String>(&old, "SELECT owner FROM subscription WHERE number = 1"),
        "uid 1000"
    );
    old.execute_batch("DROP TABLE delivery").unwrap();
    drop(old);
    assert_migrated(&file::open(&path).unwrap(), 3);
}

#[test]
fn a_newer_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = file::path(folder.path());
    let database = file::open(&path).unwrap();
    database.pragma_update(None, "user_version", STEPS.len() + 1).unwrap();
    drop(database);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(file::open(&path), Err(OpenError::Unavailable(_))));
    assert!(std::fs::read(&path).unwrap() == before);
}
