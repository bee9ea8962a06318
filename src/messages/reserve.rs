//! A file that holds room on the disk for the day when there is none: what was sent could not be deleted otherwise.
//!
//! With a write-ahead log a deletion is written, too, and writing the log back makes the database larger. The room is given up
//! when the disk is full, and nothing more is accepted until the disk has it again.

use std::fs::{self, File};
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::database::Database;

/// The most that one commit writes, about, unless it is a single message; more of them are the next commit.
pub(super) const MOST_AT_ONCE: u64 = 256 * 1024;
/// What is held: the log is written back at 1000 pages of 1024 bytes (`wal_autocheckpoint`), of which the last commit may be
/// larger, and all of them may be new to the database.
const SIZE: u64 = 1024 * 1024 + 2 * MOST_AT_ONCE;

/// What must be free beside it before it is taken again: the log grows by so much before it is written back, and a reserve that leaves
/// it no room would be given up with the next message.
const LOG_ROOM: u64 = 1024 * 1024;

/// So few pages are copied at once to make the database smaller (`VACUUM`), which needs as much memory.
const FEW_PAGES: i64 = 128;

/// The file.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    held: bool,
}

impl Reserve {
    /// Not taken yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, held: false }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Takes the room, if the disk has it. Where it cannot be taken for another reason (a file system without allocation,
    /// another owner), we go without.
    pub(super) fn take(&mut self) {
        if self.held {
            return;
        }
        let taken = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.path)
            .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, SIZE)?));
        let full = taken.is_err_and(|error| {
            let errno = Errno::from_io_error(&error);
            errno == Some(Errno::NOSPC) || errno == Some(Errno::DQUOT)
        });
        self.held = !full;
        if full {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Whether the disk has room for it and for the log. Where nobody can tell, taking it will.
    fn has_room_beside(&self) -> bool {
        let folder = self.path.parent().and_then(|folder| statvfs(folder).ok());
        folder.is_none_or(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= SIZE + LOG_ROOM)
    }

    /// Gives the room up.
    pub(super) fn release(&mut self) {
        self.held = false;
        let _ = fs::remove_file(&self.path);
    }
}

impl Database {
    /// The disk is full: what is held in reserve is now for deletions.
    pub(super) fn release_reserve(&mut self) {
        self.reserve.release();
        self.shrink();
    }

    /// Whether there is room for more than deletions.
    pub(super) fn has_room(&mut self) -> bool {
        if !self.reserve.is_held() {
            self.shrink();
            if self.reserve.has_room_beside() {
                self.reserve.take();
            }
        }
        self.reserve.is_held()
    }

    /// Gives back what the log takes, and what the database does where little is left in it.
    fn shrink(&self) {
        let pages = "SELECT page_count - freelist_count, freelist_count FROM pragma_page_count, pragma_freelist_count";
        let pages = self.database.query_row(pages, (), |row| Ok((row.get(0)?, row.get(1)?)));
        let shrunk = pages.and_then(|(used, free): (i64, i64)| {
            if used <= FEW_PAGES && free > FEW_PAGES {
                self.database.execute_batch("VACUUM")?;
            }
            let write_back = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.database.query_row(write_back, (), |_| Ok(()))
        });
        if let Err(error) = shrunk {
            log::debug!("messages: the database cannot be made smaller: {error}");
        }
    }
}
