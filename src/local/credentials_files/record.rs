//! The record of the credentials files that exist, so that the next run, or the end of the service, removes those that nobody needs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic_file;

/// The name of the record in the runtime folder, which a boot empties.
const NAME: &str = "credentials-files.json";

/// The paths of the credentials files that gatepost has written and not removed yet.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    files: BTreeSet<PathBuf>,
}

impl Record {
    /// Reads the record in the folder `runtime`. One that cannot be read counts as empty.
    pub fn read(runtime: &Path) -> Self {
        let path = runtime.join(NAME);
        let files = std::fs::read(&path).ok();
        let files = files.and_then(|text| serde_json::from_slice(&text).ok());
        Self {
            path,
            files: files.unwrap_or_default(),
        }
    }

    /// Returns whether gatepost has written this file.
    pub fn contains(&self, file: &Path) -> bool {
        self.files.contains(file)
    }

    /// Returns the files that are not among `desired`.
    pub fn others(&self, desired: &[&Path]) -> Vec<PathBuf> {
        let is_other = |file: &&PathBuf| !desired.contains(&file.as_path());
        self.files.iter().filter(is_other).cloned().collect()
    }

    /// Adds a file, before it is written.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn add(&mut self, file: &Path) -> io::Result<()> {
        match self.files.insert(file.to_owned()) {
            true => self.write().inspect_err(|_| {
                self.files.remove(file);
            }),
            false => Ok(()),
        }
    }

    /// Removes a file, after it was removed. An entry too many does no harm.
    pub fn remove(&mut self, file: &Path) {
        if self.files.remove(file) {
            let _ = self.write();
        }
    }

    fn write(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&self.files)?;
        atomic_file::replace_private(&self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_passes_to_the_next_run_and_a_broken_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (Path::new("/run/gatepost/files/a"), Path::new("/srv/b"));
        let mut record = Record::read(folder.path());
        assert!(!record.contains(a));
        record.add(a).unwrap();
        record.add(b).unwrap();
        let mut next = Record::read(folder.path());
        assert!(next.contains(a) && next.contains(b));
        assert_eq!(next.others(&[a]), [b]);
        next.remove(a);
        assert_eq!(Record::read(folder.path()).others(&[]), [b]);
        for broken in ["", "{", "[1]", "null", "\u{feff}[]"] {
            std::fs::write(folder.path().join(NAME), broken).unwrap();
            assert!(Record::read(folder.path()).others(&[]).is_empty(), "{broken}");
        }
        let mut nowhere = Record::read(&folder.path().join("none"));
        assert!(nowhere.add(a).is_err() && !nowhere.contains(a));
    }
}
