//! Makes the files on the disk what they should be: written, replaced or removed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::account::{Account, Reader};
use super::file::{self, Found};
use super::folder;
use super::problems;
use super::record::Record;
use crate::config::{CredentialsFile, default_folder};
use crate::credentials::LONGEST_LIFETIME;
use crate::problem::Problem;

/// A file as it should be now.
#[derive(Debug)]
pub struct DesiredFile {
    /// The configured file.
    pub file: CredentialsFile,
    /// The content, or why the format cannot hold the keys; `None` while there are no valid credentials.
    pub content: Option<Result<Zeroizing<String>, String>>,
    /// The access key in the content, by which it is recognised.
    pub access_key_id: String,
    /// The time at which this was found out, and the end of the content's use, by the boottime clock.
    pub life: Range<Duration>,
}

/// A file that this run has written.
#[derive(Debug)]
struct Written {
    /// Key, reader and format.
    version: String,
    /// The end of its use, by the boottime clock.
    end: Duration,
}

/// The files that gatepost has written.
#[derive(Debug)]
pub struct Files {
    runtime: PathBuf,
    record: Record,
    writer: Account,
    written: BTreeMap<PathBuf, Written>,
}

impl Files {
    /// Finds the files of an earlier run by its record in the folder `runtime`.
    pub fn of_earlier_run(runtime: &Path) -> Self {
        Self {
            runtime: runtime.to_owned(),
            record: Record::read(runtime),
            writer: Account::current(),
            written: BTreeMap::new(),
        }
    }

    /// Writes and removes files until they are as `desired`. Returns the problem with each of them, in the same order. A file that cannot
    /// be written does not affect the others.
    pub fn synchronize(&mut self, desired: &[DesiredFile]) -> Vec<Option<Problem>> {
        let paths: Vec<&Path> = desired.iter().map(|desired| desired.file.path.as_path()).collect();
        for stale in self.record.others(&paths) {
            // A file that cannot be removed stays in the record. Its keys expire.
            let _ = self.remove(&stale, None);
        }
        self.remove_unknown(&paths);
        let mut apply = |desired: &DesiredFile| {
            let problem = self.apply(desired).err()?;
            let not_removed = self.remove_expired(desired).err();
            Problem::joined([problem].into_iter().chain(not_removed).collect())
        };
        desired.iter().map(&mut apply).collect()
    }

    /// Removes a file that cannot be replaced, once its keys have expired. An earlier run may have written it.
    fn remove_expired(&mut self, desired: &DesiredFile) -> Result<(), Problem> {
        let path = &desired.file.path;
        let now = desired.life.start;
        let latest = now.saturating_add(LONGEST_LIFETIME);
        let known = self.written.get(path).map(|written| written.end);
        let end = known.or_else(|| self.record.end(path)).unwrap_or_else(|| {
            // It is not known when the keys end, but no keys live longer than this.
            let version = String::new();
            self.written.insert(path.clone(), Written { version, end: latest });
            latest
        });
        // An end later than that is by the clock of another boot.
        if now < end && end <= latest {
            return Ok(());
        }
        let is_recorded = self.record.contains(path);
        let reader = Reader::look_up(&desired.file.owner).ok();
        match self.remove(path, reader.and_then(|reader| reader.uid)) {
            Err(_) if is_recorded => Err(problems::expired(path)),
            // A file that gatepost may never have written is not accused of anything.
            _ => Ok(()),
        }
    }

    /// Removes all files in the record.
    pub fn remove_all(&mut self) {
        self.synchronize(&[]);
    }

    fn apply(&mut self, desired: &DesiredFile) -> Result<(), Problem> {
        let path = &desired.file.path;
        let reader = Reader::look_up(&desired.file.owner);
        let reader_uid = reader.as_ref().ok().and_then(|reader| reader.uid);
        let content = match &desired.content {
            None => return self.remove(path, reader_uid),
            Some(Err(reason)) => {
                self.remove(path, reader_uid)?;
                return Err(Problem::configuration(reason.clone()).next("choose another format"));
            }
            Some(Ok(content)) => content,
        };
        let reader = reader?;
        let (folder, name) = self.open_folder(path)?;
        folder::check_entry(path.parent().unwrap_or(path), &reader)?;
        let is_recorded = self.record.contains(path);
        let found = file::find(&folder, name, &self.writer, reader.uid, is_recorded);
        let found = found.map_err(|error| problems::unwritable(path, &error))?;
        let version = format!(
            "{} {} {}",
            desired.access_key_id,
            reader.token_reader,
            desired.file.format.word()
        );
        let is_current = self.written.get(path).is_some_and(|written| written.version == version);
        match found {
            Found::Own if is_current => return Ok(()),
            Found::Own | Found::Nothing => {}
            other => return Err(problems::occupied(path, other)),
        }
        let outcome = self
            .record
            .add(path)
            .and_then(|()| file::replace(&folder, name, content, reader.token_reader));
        outcome.map_err(|error| problems::unwritable(path, &error))?;
        let end = desired.life.end;
        self.record.set_end(path, end);
        self.written.insert(path.clone(), Written { version, end });
        Ok(())
    }

    /// Removes a file, if it is gatepost's.
    fn remove(&mut self, path: &Path, reader: Option<u32>) -> Result<(), Problem> {
        self.written.remove(path);
        if !path.parent().is_some_and(Path::exists) {
            // The folder was removed with the file.
            self.record.remove(path);
            return Ok(());
        }
        let (folder, name) = self.open_folder(path)?;
        let found = file::find(&folder, name, &self.writer, reader, self.record.contains(path));
        let removed = match found {
            Ok(Found::Own) => file::remove(&folder, name),
            // Somebody has put something else there.
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        removed.map_err(|error| problems::not_removed(path, &error))?;
        self.record.remove(path);
        Ok(())
    }

    /// Removes files in gatepost's own folder that are not among `desired`.
    fn remove_unknown(&self, desired: &[&Path]) {
        let entries = fs::read_dir(default_folder(&self.runtime)).into_iter().flatten();
        for entry in entries.flatten() {
            if !desired.contains(&entry.path().as_path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Opens the folder of a file, and creates it if it is gatepost's own.
    fn open_folder<'a>(&self, path: &'a Path) -> Result<(std::os::fd::OwnedFd, &'a std::ffi::OsStr), Problem> {
        let default = default_folder(&self.runtime);
        let folder = path.parent().unwrap_or(path);
        if folder == default {
            let made = DirBuilder::new().mode(0o755).create(&default);
            match made {
                // Independent of the umask.
                Ok(()) => fs::set_permissions(&default, Permissions::from_mode(0o755)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(error),
            }
            .map_err(|error| problems::unwritable(&default, &error))?;
        }
        let opened = folder::open(folder, &self.writer, &default)?;
        Ok((opened, path.file_name().unwrap_or_default()))
    }
}
