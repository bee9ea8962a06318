//! A file that reserves disk space, so that sent messages can be deleted when the disk is full.
//!
//! With a write-ahead log a deletion writes as well, and a checkpoint may enlarge the database. The reserve is released when
//! the disk is full, and no new message is accepted until the disk has room for the reserve again.

use std::fs::{self, File};
use std::path::PathBuf;

use rusqlite::Connection;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

/// About the most that one commit writes, unless it is a single message. More jobs go into the next commit.
pub(in crate::messages) const COMMIT_BYTES: u64 = 256 * 1024;
/// Size of the reserve. The log is checkpointed at 1000 pages of 1024 bytes (`wal_autocheckpoint`); the last commit may
/// exceed that, and all of these pages may be new to the database.
const SIZE: u64 = 1024 * 1024 + 2 * COMMIT_BYTES;
/// Free space beside the reserve that is needed before it is taken again. The log grows by this much before it is checkpointed; a
/// reserve that leaves it no room would be released with the next message.
const LOG_ROOM: u64 = 1024 * 1024;
/// Largest database that is rewritten as a whole (`VACUUM`) to shrink it; that needs as much memory.
const MAX_VACUUM_PAGES: i64 = 128;

/// A file that reserves disk space.
#[derive(Debug)]
pub(in crate::messages) struct SpaceReserve {
    path: PathBuf,
    taken: bool,
}

impl SpaceReserve {
    /// Makes a reserve that is not taken yet.
    pub(in crate::messages) fn new(path: PathBuf) -> Self {
        Self { path, taken: false }
    }

    /// Takes the space if the disk has it. If it cannot be taken for another reason (a file system without allocation,
    /// another owner), the store works without a reserve.
    pub(in crate::messages) fn take(&mut self) {
        if self.taken {
            return;
        }
        let outcome = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.path)
            .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, SIZE)?));
        let full = outcome.is_err_and(|error| {
            let errno = Errno::from_io_error(&error);
            errno == Some(Errno::NOSPC) || errno == Some(Errno::DQUOT)
        });
        self.taken = !full;
        if full {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Returns whether the disk has room for the reserve and the log. If that is unknown, `take` finds out.
    fn disk_has_room(&self) -> bool {
        let folder = self.path.parent().and_then(|folder| statvfs(folder).ok());
        folder.is_none_or(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= SIZE + LOG_ROOM)
    }

    /// Releases the space.
    pub(in crate::messages) fn release(&mut self) {
        self.taken = false;
        let _ = fs::remove_file(&self.path);
    }

    /// Releases the space for deletions, because the disk is full.
    pub(in crate::messages) fn release_for(&mut self, connection: &Connection) {
        self.release();
        shrink(connection);
    }

    /// Returns whether new messages can be written. Takes the reserve again if the disk has room.
    pub(in crate::messages) fn has_room(&mut self, connection: &Connection) -> bool {
        if !self.taken {
            shrink(connection);
            if self.disk_has_room() {
                self.take();
            }
        }
        self.taken
    }
}

/// Truncates the log, and shrinks the database if little is left in it.
fn shrink(connection: &Connection) {
    let pages = "SELECT page_count - freelist_count, freelist_count FROM pragma_page_count, pragma_freelist_count";
    let pages = connection.query_row(pages, (), |row| Ok((row.get(0)?, row.get(1)?)));
    let shrunk = pages.and_then(|(used, free): (i64, i64)| {
        if used <= MAX_VACUUM_PAGES && free > MAX_VACUUM_PAGES {
            connection.execute_batch("VACUUM")?;
        }
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(checkpoint, (), |_| Ok(()))
    });
    if let Err(error) = shrunk {
        log::debug!("messages: cannot shrink the database: {error}");
    }
}
