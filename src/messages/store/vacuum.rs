//! Returns free pages of the database file to the file system, a few at a time.
//!
//! SQLite supports this only for files with `auto_vacuum=INCREMENTAL`. A file of an older version is copied once: the copy
//! takes the old file's place when it is complete.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::Connection;

use super::connection::connect;
use super::error::describe;
use super::paths::{draft_of, log_of, remove_draft};

/// `PRAGMA auto_vacuum` of a file whose free pages can be returned.
const INCREMENTAL: i64 = 2;
/// Free pages that stay in the file, so that the next messages do not enlarge it again.
const SPARE_PAGES: i64 = 256;
/// Number of free pages from which returning them is worth the writing.
const MANY_FREE_PAGES: i64 = 1024;
/// Pages that one step returns, so that it takes milliseconds. Each may have to be moved, which the log has to hold.
const PAGES_PER_STEP: i64 = 128;

/// Converts a file of an older version to one whose pages can be returned. If that fails, usually for lack of space, the
/// file stays as it is until the next start.
pub(in crate::messages) fn enable_incremental(path: &Path, connection: Connection) -> rusqlite::Result<Connection> {
    if is_incremental(&connection)? {
        return Ok(connection);
    }
    let draft = draft_of(path);
    remove_draft(&draft);
    if let Err(error) = write_draft(&connection, &draft) {
        remove_draft(&draft);
        log::debug!("messages: {} cannot be made shrinkable: {error}", path.display());
        return Ok(connection);
    }
    // The log must be checkpointed before the old file is replaced, or it would be applied to the new file.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
    let log = log_of(path);
    let is_checkpointed = fs::metadata(&log).map_or(true, |log| log.len() == 0);
    if let Err((_, error)) = connection.close() {
        return Err(error);
    }
    if is_checkpointed {
        let _ = fs::remove_file(&log);
        if let Err(error) = fs::rename(&draft, path).and_then(|()| sync_folder_of(path)) {
            log::debug!("messages: {} is not replaced: {error}", path.display());
        }
    }
    remove_draft(&draft);
    connect(path)
}

fn write_draft(connection: &Connection, draft: &Path) -> Result<(), String> {
    let name = draft.to_str().ok_or("its name is not UTF-8")?;
    let written = connection
        .pragma_update(None, "auto_vacuum", "INCREMENTAL")
        .and_then(|()| connection.execute("VACUUM INTO ?1", (name,)));
    written.map_err(|error| describe(&error))?;
    // SQLite does not sync the copy (SQLite, "VACUUM", section 3).
    File::open(draft)
        .and_then(|file| file.sync_all())
        .map_err(|error| error.to_string())
}

fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Returns whether free pages of the file can be returned.
pub(in crate::messages) fn is_incremental(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: i64 = connection.query_row("PRAGMA auto_vacuum", (), |row| row.get(0))?;
    Ok(mode == INCREMENTAL)
}

/// Counts the pages that should be returned. Once this is in progress, it goes on until only the spare pages are left.
pub(in crate::messages) fn count_surplus_pages(connection: &Connection, in_progress: bool) -> rusqlite::Result<i64> {
    let count = "SELECT freelist_count FROM pragma_freelist_count";
    let free: i64 = connection.prepare_cached(count)?.query_row((), |row| row.get(0))?;
    Ok(match in_progress || free > MANY_FREE_PAGES {
        true => (free - SPARE_PAGES).max(0),
        false => 0,
    })
}

/// Returns some of these `pages` to the file system, of which there is at least one.
pub(in crate::messages) fn return_pages(connection: &Connection, pages: i64) -> rusqlite::Result<()> {
    let vacuum = format!("PRAGMA incremental_vacuum({})", pages.clamp(1, PAGES_PER_STEP));
    let mut vacuum = connection.prepare(&vacuum)?;
    // Each returned page is a row.
    let mut rows = vacuum.query(())?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Truncates the file after its last page. Until then the returned pages are only recorded in the log.
pub(in crate::messages) fn truncate(connection: &Connection) {
    let truncated = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    if let Err(error) = truncated {
        log::debug!("messages: the log is not checkpointed: {error}");
    }
}
