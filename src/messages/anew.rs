//! A database whose file was removed or replaced while we have it open: what is committed to it would be gone with us.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use log::Level;
use rusqlite::Connection;

use super::database::Database;
use super::file::{self, StoreError, Unusable, with_suffix};
use crate::event::{Event, journal};
use crate::problem::Problem;

/// Which file it is: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64, u64);

impl Place {
    /// Of the file at `path`; `None` where there is none.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(file) => Ok(Some(Self(file.dev(), file.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Database {
    /// Sees to it that what was committed is in the file at `path`: if another one is there or none, it is written anew, for
    /// we still have it all.
    pub(super) fn stay_in_place(&mut self, path: &Path) -> Result<(), StoreError> {
        // What cannot be looked at may still be ours.
        if Place::of(path).is_ok_and(|place| place == self.place) || self.place.is_none() {
            return Ok(());
        }
        let aside = self.write_anew(path).map_err(|why| {
            let path = path.display();
            let message =
                format!("{path} was removed or replaced while it was in use, and cannot be written anew: {why}");
            Problem::wait(message).next("see to it that the state folder is there and has room")
        })?;
        let aside = aside.map_or(String::new(), |aside| {
            format!("; what was in its place is now {}", aside.display())
        });
        journal!(
            Level::Error, Event::DatabaseMoved;
            "messages: {} was removed or replaced while it was in use; it was written anew with all that was in it{aside}",
            path.display()
        );
        self.reopen(path)
    }

    /// Puts all there is into a new file at `path`; returns where it is now what was there.
    fn write_anew(&mut self, path: &Path) -> Result<Option<PathBuf>, String> {
        let draft = with_suffix(path, "-anew");
        let name = draft.to_str().ok_or("its name is not UTF-8")?;
        file::remove_draft(&draft);
        let copied = self.database.execute("VACUUM INTO ?1", (name,));
        copied.map_err(|error| file::brief(&error))?;
        self.put(&draft, path).map_err(|error| error.to_string())
    }

    fn put(&self, draft: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
        // SQLite does not sync it (SQLite, "VACUUM", section 3).
        File::open(draft)?.sync_all()?;
        let aside = match Place::of(path)? {
            Some(_) => Some(file::set_aside(path, self.context.now())?),
            None => None,
        };
        fs::rename(draft, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(aside)
    }

    /// Goes on with the file at `path`, which has what the one in use has.
    fn reopen(&mut self, path: &Path) -> Result<(), StoreError> {
        let nothing = Connection::open_in_memory().map_err(|error| file::cannot(path, &error))?;
        // Closing removes the log of that name, so it comes before the new one is opened.
        drop(std::mem::replace(&mut self.database, nothing));
        let _ = fs::remove_file(with_suffix(path, "-wal"));
        self.database = file::open(path).map_err(|why| match why {
            Unusable::Not(failure) => failure,
            Unusable::Broken(error) => file::cannot(path, &error),
        })?;
        self.is_new_here(path);
        Ok(())
    }
}
