//! Rewrites a database file that was removed or replaced while it is open: later commits would be lost with the process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use log::Level;
use rusqlite::Connection;

use crate::event::{Event, journal};
use crate::messages::database::Database;
use crate::messages::store::error::{OpenError, StoreError, describe};
use crate::messages::store::file;
use crate::messages::store::file_id::FileId;
use crate::messages::store::paths::{draft_of, log_of, remove_draft};
use crate::problem::Problem;

/// Makes sure that the committed content is in the file at `path`. If the file is another one or missing, it is rewritten
/// from the open database.
pub(super) fn restore_file(database: &mut Database, path: &Path) -> Result<(), StoreError> {
    // If the file cannot be examined, it may still be the right one.
    if FileId::of(path).is_ok_and(|id| id == database.file_id) || database.file_id.is_none() {
        return Ok(());
    }
    let aside = rewrite(database, path).map_err(|why| {
        let path = path.display();
        let message = format!("{path} was removed or replaced while it was in use, and cannot be rewritten: {why}");
        Problem::wait(message).next("make sure that the state folder exists and has room")
    })?;
    let aside = aside.map_or(String::new(), |aside| {
        format!("; the file that had replaced it is now {}", aside.display())
    });
    journal!(
        Level::Error, Event::DatabaseMoved;
        "messages: {} was removed or replaced while it was in use; it was rewritten with all its content{aside}",
        path.display()
    );
    reopen(database, path)
}

/// Copies the database to a new file at `path`. Returns the new path of the file that was there.
fn rewrite(database: &Database, path: &Path) -> Result<Option<PathBuf>, String> {
    let draft = draft_of(path);
    let name = draft.to_str().ok_or("its name is not UTF-8")?;
    remove_draft(&draft);
    let copied = database.connection.execute("VACUUM INTO ?1", (name,));
    copied.map_err(|error| describe(&error))?;
    install(database, &draft, path).map_err(|error| error.to_string())
}

fn install(database: &Database, draft: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    // SQLite does not sync the copy (SQLite, "VACUUM", section 3).
    File::open(draft)?.sync_all()?;
    let aside = match FileId::of(path)? {
        Some(_) => Some(file::set_aside(path, database.context.now())?),
        None => None,
    };
    fs::rename(draft, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(aside)
}

/// Continues with the file at `path`, which has the same content as the open one.
fn reopen(database: &mut Database, path: &Path) -> Result<(), StoreError> {
    let placeholder = Connection::open_in_memory().map_err(|error| StoreError::new(path, &error))?;
    // Closing removes the log by its name, so the old file is closed before the new one is opened.
    drop(std::mem::replace(&mut database.connection, placeholder));
    let _ = fs::remove_file(log_of(path));
    database.connection = file::open(path).map_err(|why| match why {
        OpenError::Unavailable(error) => error,
        OpenError::Corrupt(error) => StoreError::new(path, &error),
    })?;
    database.record_file(path);
    Ok(())
}
