//! Connects to the database file.

use std::path::Path;

use rusqlite::Connection;

/// Connects to the file at `path` with the settings of the store. A file that may only be read is left unchanged.
pub(in crate::messages) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    if connection.is_readonly("main")? {
        return Ok(connection);
    }
    // A commit writes whole pages, and most messages are small, so pages are small. The order matters: page size and
    // auto_vacuum are fixed with the first table. The first access in exclusive mode takes the lock and decides where the
    // index of the log is.
    connection.execute_batch("PRAGMA page_size = 1024; PRAGMA locking_mode = EXCLUSIVE;")?;
    let pages: i64 = connection.query_row("PRAGMA page_count", (), |row| row.get(0))?;
    if pages == 0 {
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -128;
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 1000;
         PRAGMA foreign_keys = OFF;",
    )?;
    Ok(connection)
}
