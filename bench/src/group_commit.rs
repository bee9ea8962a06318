//! The floor of a durable publish: the same row in the same database with the same group commit, and nothing else.

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use rusqlite::Connection;

use crate::publishers::{PAYLOAD, Publish};

/// Number of messages that gatepost puts into one commit.
const GROUP: usize = 256;

/// A database and its writing thread.
#[derive(Debug)]
pub struct GroupCommit {
    rows: mpsc::Sender<Row>,
}

/// A row, and the caller that waits for it to be on the disk.
struct Row {
    topic: String,
    payload: Vec<u8>,
    done: mpsc::SyncSender<bool>,
}

impl GroupCommit {
    /// Creates a new database in `folder`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(folder: &Path) -> Result<Self> {
        let database = Connection::open(folder.join("floor.db"))?;
        // The same pragmas as in src/messages/database.rs.
        database.execute_batch(
            "PRAGMA page_size = 1024;
             PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA cache_size = -128;
             PRAGMA temp_store = MEMORY;
             PRAGMA wal_autocheckpoint = 1000;
             CREATE TABLE outbox (
                 id         INTEGER PRIMARY KEY,
                 topic      TEXT    NOT NULL,
                 payload    BLOB    NOT NULL,
                 retain     INTEGER NOT NULL,
                 properties TEXT,
                 accepted   INTEGER NOT NULL
             ) STRICT;",
        )?;
        let (rows, queue) = mpsc::channel();
        thread::Builder::new()
            .name("floor".to_owned())
            .spawn(move || write(&database, &queue))?;
        Ok(Self { rows })
    }

    /// Returns a caller that publishes on `topic`.
    #[must_use]
    pub fn publisher(&self, topic: String) -> Publish<'static> {
        let rows = self.rows.clone();
        let (done, is_done) = mpsc::sync_channel(1);
        Box::new(move || {
            let row = Row {
                topic: topic.clone(),
                payload: vec![b'x'; PAYLOAD],
                done: done.clone(),
            };
            let gone = || anyhow!("the database's thread has ended");
            rows.send(row).map_err(|_| gone())?;
            is_done.recv()?.then_some(()).context("the database cannot be written")
        })
    }
}

/// Writes groups of rows. While one group is synced, the next one accumulates.
fn write(database: &Connection, queue: &mpsc::Receiver<Row>) {
    let mut id = 0;
    while let Ok(first) = queue.recv() {
        let group: Vec<Row> = std::iter::once(first).chain(queue.try_iter()).take(GROUP).collect();
        let written = insert(database, &group, &mut id).is_ok();
        for row in group {
            // A caller that no longer waits has given up.
            let _ = row.done.send(written);
        }
    }
}

fn insert(database: &Connection, group: &[Row], id: &mut i64) -> rusqlite::Result<()> {
    database.execute_batch("BEGIN")?;
    for row in group {
        *id += 1;
        database
            .prepare_cached(
                "INSERT INTO outbox (id, topic, payload, retain, properties, accepted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                *id,
                &row.topic,
                &row.payload,
                false,
                None::<String>,
                1_800_000_000_000_i64,
            ))?;
    }
    database.execute_batch("COMMIT")
}
