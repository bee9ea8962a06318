//! A record on disk that only gatepost reads: JSON in the state folder.

use std::fs;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::PathBuf;

use log::Level;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::atomic_file;
use crate::event::{Event, journal};

/// The file of a record of type `T`. A record may hold secrets: only the file's owner reads it, and no copy stays in memory.
#[derive(Debug)]
pub struct StateFile<T> {
    path: PathBuf,
    /// The part of gatepost in messages.
    part: &'static str,
    /// The consequence of a record that cannot be written, for the journal.
    consequence: &'static str,
    record: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> StateFile<T> {
    /// Names a file, which need not exist.
    pub fn new(path: PathBuf, part: &'static str, consequence: &'static str) -> Self {
        Self {
            path,
            part,
            consequence,
            record: PhantomData,
        }
    }

    /// Reads the record. `None` if there is none, or if it is damaged: then the journal says so.
    pub fn read(&self) -> Option<T> {
        let text = Zeroizing::new(fs::read(&self.path).ok()?);
        serde_json::from_slice(&text)
            .map_err(|error| {
                let (part, path, line) = (self.part, self.path.display(), error.line());
                journal!(Level::Warn, Event::StateDamaged; "{part}: {path} is damaged in line {line} and is recreated");
            })
            .ok()
    }

    /// Replaces the record. If it cannot be written, the journal says so.
    pub fn write(&self, record: &T) {
        let written = serde_json::to_vec(record)
            .map(Zeroizing::new)
            .map_err(std::io::Error::from)
            .and_then(|text| atomic_file::replace_private(&self.path, &text));
        if let Err(error) = written {
            let (part, path, consequence) = (self.part, self.path.display(), self.consequence);
            journal!(Level::Warn, Event::StateUnwritable; "{part}: {path} cannot be written; {consequence}: {error}");
        }
    }

    /// Removes the record, if there is one.
    pub fn remove(&self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let (part, path) = (self.part, self.path.display());
                journal!(Level::Warn, Event::StateUnwritable; "{part}: {path} cannot be removed: {error}");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(path: PathBuf) -> StateFile<Vec<u32>> {
        StateFile::new(path, "a part", "after a restart it starts over")
    }

    #[test]
    fn a_record_is_readable_by_its_owner_only_and_a_damaged_one_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let file = file(path.clone());
        assert_eq!(file.read(), None);
        file.write(&vec![1, 2]);
        assert_eq!(file.read(), Some(vec![1, 2]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for damaged in ["", "{", "[1,", "[\"a\"]"] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(file.read(), None, "{damaged}");
        }
        file.write(&vec![3]);
        assert_eq!(file.read(), Some(vec![3]));
        file.remove();
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_is_not_there_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path().join("none/record.json"));
        file.write(&vec![1]);
        file.remove();
        assert_eq!(file.read(), None);
    }
}
