//! Errors of the database, sorted by what can be done about them.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use crate::foreign_text;
use crate::problem::Problem;

/// Why the database cannot be opened.
#[derive(Debug)]
pub(in crate::messages) enum OpenError {
    /// Corrupt: moved aside and recreated.
    Corrupt(rusqlite::Error),
    /// Intact but unavailable; retry.
    Unavailable(StoreError),
}

impl OpenError {
    /// Sorts an error that opening the file at `path` has returned.
    pub(in crate::messages) fn new(path: &Path, error: rusqlite::Error) -> Self {
        match is_corrupt(&error) {
            true => Self::Corrupt(error),
            false => Self::Unavailable(StoreError::new(path, &error)),
        }
    }
}

/// Why a job failed.
#[derive(Clone, Debug)]
pub struct StoreError {
    /// Cause and next step.
    pub problem: Problem,
    /// Whether the disk is full.
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

impl StoreError {
    /// Returns the error for a database at `path` that cannot be read or written.
    pub(in crate::messages) fn new(path: &Path, error: &rusqlite::Error) -> Self {
        let message = format!("{} cannot be used: {}", path.display(), describe(error));
        let problem = match error.sqlite_error_code() {
            // The store retries these as well, but a full disk or a wrong owner needs an administrator.
            Some(ErrorCode::DiskFull) => {
                Problem::configuration(message).next("free space on the disk of the state folder")
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Problem::configuration(message)
                    .next("check the owner of the state folder, and that its disk is not read-only")
            }
            _ => Problem::wait(message).next("look at the disk of the state folder: dmesg"),
        };
        Self {
            problem,
            disk_full: error.sqlite_error_code() == Some(ErrorCode::DiskFull),
        }
    }

    /// Returns the error for a disk without room for new messages.
    pub(in crate::messages) fn disk_full(path: &Path) -> Self {
        Self::new(path, &sqlite_error(ffi::SQLITE_FULL))
    }

    /// Returns the error for a read-only file.
    pub(in crate::messages) fn read_only(path: &Path) -> Self {
        Self::new(path, &sqlite_error(ffi::SQLITE_READONLY))
    }
}

/// Returns whether the file itself is corrupt, so that a retry cannot help.
pub(in crate::messages) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    ) || matches!(
        error,
        // A table or column is missing, already exists, or has another type: the file is another program's database.
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::SqlInputError { .. }
    ) || matches!(error.sqlite_error_code(), Some(ErrorCode::Unknown) if error.to_string().contains("no such"))
}

fn sqlite_error(code: std::ffi::c_int) -> rusqlite::Error {
    let text = ffi::code_to_str(code).to_owned();
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(text))
}

/// Describes an error in one line without control characters and without the SQL statement. SQLite quotes the content of a
/// damaged file.
pub(in crate::messages) fn describe(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => foreign_text::clean(msg),
        other => foreign_text::clean(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_no_control_characters_from_a_damaged_file() {
        let words = "malformed database schema (parked) - unrecognized token: \"\u{4}\u{1b}[2J\n\"";
        let input = rusqlite::Error::SqlInputError {
            error: ffi::Error::new(ffi::SQLITE_ERROR),
            msg: words.to_owned(),
            sql: "SELECT 1".to_owned(),
            offset: 0,
        };
        let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(words.to_owned()));
        for error in [input, failure] {
            let said = describe(&error);
            assert!(
                said.contains("malformed database schema") && !said.contains(char::is_control),
                "{said:?}"
            );
        }
    }
}
