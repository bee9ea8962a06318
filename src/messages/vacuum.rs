//! The file becomes smaller when there is less in it: free pages are given back, a few at a time.
//!
//! SQLite does so for files with `auto_vacuum=INCREMENTAL` only. A file of an older version is written anew once, by the way that
//! `anew` has for a file that was removed: the new one takes the old one's place when it is whole.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::Connection;

use super::database::Database;
use super::file::{self, remove_draft, with_suffix};

/// `PRAGMA auto_vacuum` of a file whose free pages can be given back.
const INCREMENTAL: i64 = 2;
/// Free pages that are left in the file: what comes next is written there without making it larger again.
const KEPT_FREE: i64 = 256;
/// It is worth the writing from so many free pages on.
const MANY_FREE: i64 = 1024;
/// Pages that one turn gives back, so that it is over in milliseconds. Each may have to be moved, which the log has to hold.
const PAGES_AT_ONCE: i64 = 128;

/// Makes a file of an older version one whose pages can be given back. Where that cannot be done, for want of room as a rule, it stays
/// as it is until the next start.
pub(super) fn make_shrinkable(path: &Path, database: Connection) -> rusqlite::Result<Connection> {
    if auto_vacuum(&database)? == INCREMENTAL {
        return Ok(database);
    }
    let draft = with_suffix(path, "-anew");
    remove_draft(&draft);
    if let Err(error) = write_draft(&database, &draft) {
        remove_draft(&draft);
        log::debug!(
            "messages: {} stays a file that does not shrink: {error}",
            path.display()
        );
        return Ok(database);
    }
    // The log must be part of the old file before it is gone: with the new file it would be another file's log.
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
    let log = with_suffix(path, "-wal");
    let is_written_back = fs::metadata(&log).map_or(true, |log| log.len() == 0);
    if let Err((_, error)) = database.close() {
        return Err(error);
    }
    if is_written_back {
        let _ = fs::remove_file(&log);
        if let Err(error) = fs::rename(&draft, path).and_then(|()| sync_folder(path)) {
            log::debug!("messages: {} is not replaced: {error}", path.display());
        }
    }
    remove_draft(&draft);
    file::connect(path)
}

fn write_draft(database: &Connection, draft: &Path) -> Result<(), String> {
    let name = draft.to_str().ok_or("its name is not UTF-8")?;
    let written = database
        .pragma_update(None, "auto_vacuum", "INCREMENTAL")
        .and_then(|()| database.execute("VACUUM INTO ?1", (name,)));
    written.map_err(|error| file::brief(&error))?;
    // SQLite does not sync it (SQLite, "VACUUM", section 3).
    File::open(draft)
        .and_then(|file| file.sync_all())
        .map_err(|error| error.to_string())
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn auto_vacuum(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("PRAGMA auto_vacuum", (), |row| row.get(0))
}

impl Database {
    /// Whether something is to be done to the file that nobody waits for.
    pub(super) fn needs_upkeep(&self) -> bool {
        self.leftovers || self.pages_to_give_back().is_ok_and(|pages| pages > 0)
    }

    /// Does a part of it: deletes what is left of ended subscriptions, then gives pages back.
    pub(super) fn upkeep(&mut self) -> rusqlite::Result<()> {
        if self.leftovers {
            return self.delete_leftovers();
        }
        let pages = self.pages_to_give_back()?;
        self.shrinking = pages > 0;
        // Of no page at all SQLite makes all of them.
        if !self.shrinking {
            return Ok(());
        }
        let give_back = format!("PRAGMA incremental_vacuum({})", pages.min(PAGES_AT_ONCE));
        let mut give_back = self.database.prepare(&give_back)?;
        // Each page that is given back is a row.
        let mut rows = give_back.query(())?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Makes the file as short as it is by now, once all was given back. Until then this is only in the log.
    pub(super) fn end_upkeep(&mut self) {
        if self.shrinking && !self.needs_upkeep() {
            self.shrinking = false;
            let written = self
                .database
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
            if let Err(error) = written {
                log::debug!("messages: the log is not written back: {error}");
            }
        }
    }

    fn pages_to_give_back(&self) -> rusqlite::Result<i64> {
        if !self.shrinkable {
            return Ok(0);
        }
        let count = "SELECT freelist_count FROM pragma_freelist_count";
        let free: i64 = self.database.prepare_cached(count)?.query_row((), |row| row.get(0))?;
        Ok(match self.shrinking || free > MANY_FREE {
            true => (free - KEPT_FREE).max(0),
            false => 0,
        })
    }

    /// Notes whether the file that was opened can give pages back.
    pub(super) fn note_shrinkable(&mut self) {
        self.shrinkable = auto_vacuum(&self.database).is_ok_and(|mode| mode == INCREMENTAL);
    }
}

#[cfg(test)]
mod tests;
