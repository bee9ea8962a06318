//! The database file: opened, migrated to the newest schema, and moved aside when it is corrupt.
//!
//! SQLite with a write-ahead log needs one fdatasync for each commit, and writes the log sequentially, which suits SD cards.
//! No other process opens the file, so the index of the log is in memory rather than in a file of its own (locking_mode
//! EXCLUSIVE; SQLite, "Write-Ahead Logging", section 8).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::connection::connect;
use super::error::{OpenError, StoreError};
use super::paths::{log_of, with_suffix};
use super::schema::{self, STEPS};
use super::space_reserve::SpaceReserve;
use super::vacuum;
use crate::problem::Problem;

/// Corrupt files that are kept for an administrator; the oldest are removed first.
const MAX_ASIDE: usize = 3;

/// Number of messages in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Messages that wait to be sent.
    pub queued: u64,
    /// Messages that AWS did not accept.
    pub parked: u64,
}

/// Returns the path of the database in the state folder.
pub(in crate::messages) fn path(state: &Path) -> PathBuf {
    state.join("messages.db")
}

/// Returns the disk space that is reserved beside the database.
pub(in crate::messages) fn reserve(path: &Path) -> SpaceReserve {
    SpaceReserve::new(with_suffix(path, "-reserve"))
}

/// Opens the file at `path`, creates it if there is none, and migrates it to the newest schema.
pub(in crate::messages) fn open(path: &Path) -> Result<Connection, OpenError> {
    let sort = |error| OpenError::new(path, error);
    let connection = connect(path).map_err(sort)?;
    // SQLite opens a read-only file without an error, and fails later in several ways.
    if connection.is_readonly("main").map_err(sort)? {
        return Err(OpenError::Unavailable(StoreError::read_only(path)));
    }
    let version = read_version(&connection, path)?;
    schema::migrate(&connection, version).map_err(sort)?;
    vacuum::enable_incremental(path, connection).map_err(sort)
}

/// Counts the messages in the file at `path` while no other process has it open. Changes nothing: the log is not even
/// checkpointed.
pub(in crate::messages) fn count_messages(path: &Path) -> Result<QueueCounts, OpenError> {
    let sort = |error| OpenError::new(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sort)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(sort)?;
    connection
        .pragma_update(None, "locking_mode", "EXCLUSIVE")
        .map_err(sort)?;
    if read_version(&connection, path)? == 0 {
        return Ok(QueueCounts::default());
    }
    let counts = connection.query_row(
        "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM parked)",
        (),
        |row| {
            Ok(QueueCounts {
                queued: row.get(0)?,
                parked: row.get(1)?,
            })
        },
    );
    counts.map_err(sort)
}

/// Reads the version of the schema; an error if it is newer than this program.
fn read_version(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    let version = connection
        .query_row("PRAGMA user_version", (), |row| row.get(0))
        .map_err(|error| OpenError::new(path, error))?;
    let newest = STEPS.len();
    if version <= newest {
        return Ok(version);
    }
    let problem = Problem::configuration(format!(
        "{} was written by a newer gatepost (schema {version}, this one knows {newest})",
        path.display()
    ))
    .next(
        "install that version again, or stop gatepost (systemctl stop gatepost.socket gatepost.service) and move the file \
         away: the messages in it are then not sent",
    );
    Err(OpenError::Unavailable(problem.into()))
}

/// Moves a corrupt file and its log out of the way, and returns its new path.
pub(in crate::messages) fn set_aside(path: &Path, now: SystemTime) -> std::io::Result<PathBuf> {
    let stamp = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let aside = (stamp..)
        .map(|stamp| with_suffix(path, &format!(".broken-{stamp}")))
        .find(|aside| !aside.exists())
        .unwrap_or_default();
    fs::rename(path, &aside)?;
    // Without its log the file may lack the last commits; beside a new file the log would corrupt that as well.
    let log = log_of(path);
    if log.exists() {
        fs::rename(log, log_of(&aside))?;
    }
    remove_oldest_aside(path);
    Ok(aside)
}

fn remove_oldest_aside(path: &Path) {
    let prefix = with_suffix(path, ".broken-");
    let Some(prefix) = prefix.file_name().and_then(|name| name.to_str()) else {
        return;
    };
    let Some(Ok(entries)) = path.parent().map(fs::read_dir) else {
        return;
    };
    let mut aside: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|entry| {
            let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(prefix) && !name.ends_with("-wal")
        })
        .collect();
    aside.sort();
    for old in aside.iter().rev().skip(MAX_ASIDE) {
        let _ = fs::remove_file(old);
        let _ = fs::remove_file(log_of(old));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_has_the_newest_schema_and_a_newer_file_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        drop(open(&path).unwrap());
        let connection = open(&path).unwrap();
        let count: i64 = connection
            .query_row("SELECT count(*) FROM outbox", (), |row| row.get(0))
            .unwrap();
        assert_eq!(count, 0);
        connection.execute_batch("PRAGMA user_version = 99").unwrap();
        drop(connection);
        match open(&path) {
            Err(OpenError::Unavailable(why)) => assert!(why.problem.message.contains("newer gatepost"), "{why:?}"),
            other => panic!("{other:?}"),
        }
        assert!(path.exists());
    }

    #[test]
    fn count_messages_reads_the_log_and_does_not_change_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        let connection = open(&path).unwrap();
        let insert = "INSERT INTO outbox VALUES (1, 't', x'00', 0, NULL, 0, ''), (2, 't', x'00', 0, NULL, 0, '');
                      INSERT INTO parked VALUES (3, 't', x'00', 0, NULL, 0, 0, 'r', '');";
        connection.execute_batch(insert).unwrap();
        // As after a kill: what was committed is in the log only.
        let after = tempfile::tempdir().unwrap();
        let copy = super::path(after.path());
        fs::copy(&path, &copy).unwrap();
        fs::copy(with_suffix(&path, "-wal"), with_suffix(&copy, "-wal")).unwrap();
        let files = || {
            let files = fs::read_dir(after.path()).unwrap().map(|entry| entry.unwrap().path());
            let mut files: Vec<_> = files.map(|path| (fs::read(&path).unwrap(), path)).collect();
            files.sort();
            files
        };
        let before = files();
        for _ in 0..2 {
            assert_eq!(count_messages(&copy).unwrap(), QueueCounts { queued: 2, parked: 1 });
        }
        assert!(files() == before, "something was changed");
        fs::remove_file(with_suffix(&copy, "-wal")).unwrap();
        fs::write(&copy, vec![b'x'; 8192]).unwrap();
        assert!(matches!(count_messages(&copy), Err(OpenError::Corrupt(_))));
        fs::remove_file(&copy).unwrap();
        assert!(matches!(count_messages(&copy), Err(OpenError::Unavailable(_))) && !copy.exists());
        connection.execute_batch("PRAGMA user_version = 99").unwrap();
        drop(connection);
        assert!(matches!(count_messages(&path), Err(OpenError::Unavailable(_))));
    }

    #[test]
    fn a_corrupt_file_is_distinguished_from_one_that_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        fs::write(&path, vec![b'x'; 8192]).unwrap();
        assert!(matches!(open(&path), Err(OpenError::Corrupt(_))));
        let none = folder.path().join("none/messages.db");
        assert!(matches!(open(&none), Err(OpenError::Unavailable(_))));
    }

    #[test]
    fn only_the_newest_corrupt_files_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        for number in 0..6 {
            fs::write(&path, format!("{number}")).unwrap();
            fs::write(with_suffix(&path, "-wal"), "log").unwrap();
            let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000 + number / 2);
            let aside = set_aside(&path, now).unwrap();
            assert_eq!(fs::read_to_string(aside).unwrap(), number.to_string());
            assert!(!path.exists() && !with_suffix(&path, "-wal").exists());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2 * MAX_ASIDE);
    }
}
