//! The database file: opened, brought to today's schema, set aside when it is broken.
//!
//! SQLite with a write-ahead log: one fdatasync for each commit, and the log is written from front to back, which is what
//! an SD card likes best. Nobody else opens it, so the index of the log is in memory rather than in a file of its own
//! (locking_mode EXCLUSIVE; SQLite, "Write-Ahead Logging", section 8).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::reserve::Reserve;
use super::schema::{self, STEPS};
use super::vacuum;
use crate::foreign_text;
use crate::problem::Problem;

/// Broken files that are kept for whoever wants to look; the oldest go first.
const KEPT_ASIDE: usize = 3;

/// Why there is no database.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is broken: set aside, a new one will do.
    Broken(rusqlite::Error),
    /// It is whole, and cannot be used now.
    Not(StoreError),
}

/// What is in the file, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Messages that wait to be sent.
    pub queued: u64,
    /// Messages that AWS did not take.
    pub parked: u64,
}

/// Why a job was not done.
#[derive(Clone, Debug)]
pub struct StoreError {
    /// What is wrong.
    pub problem: Problem,
    /// Whether it is that the disk has no room.
    pub disk_full: bool,
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            disk_full: false,
        }
    }
}

/// The file in the state folder.
pub(super) fn path(state: &Path) -> PathBuf {
    state.join("messages.db")
}

/// The room beside it that is held for deletions.
pub(super) fn reserve(path: &Path) -> Reserve {
    Reserve::new(with_suffix(path, "-reserve"))
}

/// Opens the file at `path`, new if there is none, and brings it to today's schema.
pub(super) fn open(path: &Path) -> Result<Connection, Unusable> {
    let sorted = |error| sorted(path, error);
    let database = connect(path).map_err(sorted)?;
    // SQLite opens a file that it may only read, and fails later with an error of its own for each that it cannot do.
    if database.is_readonly("main").map_err(sorted)? {
        return Err(Unusable::Not(cannot(path, &sqlite(ffi::SQLITE_READONLY))));
    }
    let version = version(&database, path)?;
    schema::migrate(&database, version).map_err(sorted)?;
    vacuum::make_shrinkable(path, database).map_err(sorted)
}

/// Connects to the file at `path` in the way that it is used in. One that may only be read is left as it is.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    if database.is_readonly("main")? {
        return Ok(database);
    }
    // A commit writes whole pages, and most messages are small, so the pages are. The order matters: a page's size and whether free
    // pages can be given back are settled with the first table, and the first access in exclusive mode takes the lock and settles
    // where the log's index is.
    database.execute_batch("PRAGMA page_size = 1024; PRAGMA locking_mode = EXCLUSIVE;")?;
    let pages: i64 = database.query_row("PRAGMA page_count", (), |row| row.get(0))?;
    if pages == 0 {
        database.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    database.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -128;
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 1000;
         PRAGMA foreign_keys = OFF;",
    )?;
    Ok(database)
}

/// What the file at `path` has, looked at while nobody else has it open: nothing in it is changed, not even its log is
/// written back.
pub(super) fn look(path: &Path) -> Result<QueueCounts, Unusable> {
    let sorted = |error| sorted(path, error);
    let how = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, how).map_err(sorted)?;
    database
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(sorted)?;
    database
        .pragma_update(None, "locking_mode", "EXCLUSIVE")
        .map_err(sorted)?;
    if version(&database, path)? == 0 {
        return Ok(QueueCounts::default());
    }
    let glance = database.query_row(
        "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM parked)",
        (),
        |row| {
            Ok(QueueCounts {
                queued: row.get(0)?,
                parked: row.get(1)?,
            })
        },
    );
    glance.map_err(sorted)
}

/// The schema's version, if it is one that is known here.
fn version(database: &Connection, path: &Path) -> Result<usize, Unusable> {
    let version = database
        .query_row("PRAGMA user_version", (), |row| row.get(0))
        .map_err(|error| sorted(path, error))?;
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
    Err(Unusable::Not(problem.into()))
}

fn sorted(path: &Path, error: rusqlite::Error) -> Unusable {
    match is_broken(&error) {
        true => Unusable::Broken(error),
        false => Unusable::Not(cannot(path, &error)),
    }
}

/// Moves a broken file and its log out of the way, and returns where it is now.
pub(super) fn set_aside(path: &Path, now: SystemTime) -> std::io::Result<PathBuf> {
    let stamp = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let aside = (stamp..)
        .map(|stamp| with_suffix(path, &format!(".broken-{stamp}")))
        .find(|aside| !aside.exists())
        .unwrap_or_default();
    fs::rename(path, &aside)?;
    // Without its log the file may lack what was committed last, and with another file's log it would be broken once more.
    let log = with_suffix(path, "-wal");
    if log.exists() {
        fs::rename(log, with_suffix(&aside, "-wal"))?;
    }
    forget_oldest(path);
    Ok(aside)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Removes a file that a copy was written to, and SQLite's journal of it: the next copy would be rolled back by that.
pub(super) fn remove_draft(draft: &Path) {
    for file in [draft.to_owned(), with_suffix(draft, "-journal")] {
        let _ = fs::remove_file(file);
    }
}

fn forget_oldest(path: &Path) {
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
    for old in aside.iter().rev().skip(KEPT_ASIDE) {
        let _ = fs::remove_file(old);
        let _ = fs::remove_file(with_suffix(old, "-wal"));
    }
}

/// Whether the file itself is broken, so that trying again cannot help.
pub(super) fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    ) || matches!(
        error,
        // A table or column that is not there, or there already, or of another type: somebody else's database under our name.
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::SqlInputError { .. }
    ) || matches!(error.sqlite_error_code(), Some(ErrorCode::Unknown) if error.to_string().contains("no such"))
}

/// What it means that there is no room for anything new.
pub(super) fn full(path: &Path) -> StoreError {
    cannot(path, &sqlite(ffi::SQLITE_FULL))
}

fn sqlite(code: std::ffi::c_int) -> rusqlite::Error {
    let words = ffi::code_to_str(code).to_owned();
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(words))
}

/// An error without the statement that it arose in, as one clean line: SQLite quotes what stands in a damaged file.
pub(super) fn brief(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => foreign_text::clean(msg),
        other => foreign_text::clean(other),
    }
}

/// What it means that the database cannot be read or written.
pub(super) fn cannot(path: &Path, error: &rusqlite::Error) -> StoreError {
    let message = format!("{} cannot be used: {}", path.display(), brief(error));
    let problem = match error.sqlite_error_code() {
        // Tried again all the same, but no time frees a disk or changes an owner.
        Some(ErrorCode::DiskFull) => Problem::configuration(message).next("free space on the disk of the state folder"),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            Problem::configuration(message)
                .next("check the owner of the state folder, and that its disk is not read-only")
        }
        _ => Problem::wait(message).next("look at the disk of the state folder: dmesg"),
    };
    StoreError {
        problem,
        disk_full: error.sqlite_error_code() == Some(ErrorCode::DiskFull),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_has_todays_schema_and_a_newer_one_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        drop(open(&path).unwrap());
        let database = open(&path).unwrap();
        let count: i64 = database
            .query_row("SELECT count(*) FROM outbox", (), |row| row.get(0))
            .unwrap();
        assert_eq!(count, 0);
        database.execute_batch("PRAGMA user_version = 99").unwrap();
        drop(database);
        match open(&path) {
            Err(Unusable::Not(why)) => assert!(why.problem.message.contains("newer gatepost"), "{why:?}"),
            other => panic!("{other:?}"),
        }
        assert!(path.exists());
    }

    #[test]
    fn a_look_finds_what_is_in_the_log_and_leaves_it_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        let database = open(&path).unwrap();
        let insert = "INSERT INTO outbox VALUES (1, 't', x'00', 0, NULL, 0, ''), (2, 't', x'00', 0, NULL, 0, '');
                      INSERT INTO parked VALUES (3, 't', x'00', 0, NULL, 0, 0, 'r', '');";
        database.execute_batch(insert).unwrap();
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
            assert_eq!(look(&copy).unwrap(), QueueCounts { queued: 2, parked: 1 });
        }
        assert!(files() == before, "something was changed");
        fs::remove_file(with_suffix(&copy, "-wal")).unwrap();
        fs::write(&copy, vec![b'x'; 8192]).unwrap();
        assert!(matches!(look(&copy), Err(Unusable::Broken(_))));
        fs::remove_file(&copy).unwrap();
        assert!(matches!(look(&copy), Err(Unusable::Not(_))) && !copy.exists());
        database.execute_batch("PRAGMA user_version = 99").unwrap();
        drop(database);
        assert!(matches!(look(&path), Err(Unusable::Not(_))));
    }

    #[test]
    fn a_broken_file_is_told_from_one_that_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        fs::write(&path, vec![b'x'; 8192]).unwrap();
        assert!(matches!(open(&path), Err(Unusable::Broken(_))));
        let none = folder.path().join("none/messages.db");
        assert!(matches!(open(&none), Err(Unusable::Not(_))));
    }

    #[test]
    fn what_sqlite_quotes_of_a_damaged_file_moves_no_cursor() {
        let words = "malformed database schema (parked) - unrecognized token: \"\u{4}\u{1b}[2J\n\"";
        let input = rusqlite::Error::SqlInputError {
            error: ffi::Error::new(ffi::SQLITE_ERROR),
            msg: words.to_owned(),
            sql: "SELECT 1".to_owned(),
            offset: 0,
        };
        let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(words.to_owned()));
        for error in [input, failure] {
            let said = brief(&error);
            assert!(
                said.contains("malformed database schema") && !said.contains(char::is_control),
                "{said:?}"
            );
        }
    }

    #[test]
    fn what_an_interrupted_copy_has_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        let draft = with_suffix(&path, "-anew");
        let journal = with_suffix(&draft, "-journal");
        for files in [vec![&draft, &journal], vec![&journal], vec![&draft], vec![]] {
            files.iter().for_each(|file| fs::write(file, "left").unwrap());
            remove_draft(&draft);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{files:?}");
        }
    }

    #[test]
    fn broken_files_are_kept_but_not_for_ever() {
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
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2 * KEPT_ASIDE);
    }
}
