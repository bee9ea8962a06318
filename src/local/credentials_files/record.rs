//! The record of the credentials files that exist, so that the next run, or the end of the service, removes those that nobody needs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::atomic_file;

/// The name of the record in the runtime folder, which a boot empties.
const NAME: &str = "credentials-files.json";

/// The paths of the credentials files that gatepost has written and not removed yet.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    files: BTreeMap<PathBuf, Option<u64>>,
}

/// The content of the record.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    /// For each file, the second of the boottime clock at which its keys end, if it is known. Like the record, that clock ends with a boot.
    Ends(BTreeMap<PathBuf, Option<u64>>),
    /// The paths alone, as gatepost 0.1 has written them.
    Paths(Vec<PathBuf>),
}

impl Record {
    /// Reads the record in the folder `runtime`. One that cannot be read counts as empty.
    pub fn read(runtime: &Path) -> Self {
        let path = runtime.join(NAME);
        let files = std::fs::read(&path).ok();
        let files = match files.and_then(|text| serde_json::from_slice(&text).ok()) {
            Some(Content::Ends(files)) => files,
            Some(Content::Paths(paths)) => paths.into_iter().map(|path| (path, None)).collect(),
            None => BTreeMap::new(),
        };
        Self { path, files }
    }

    /// Returns whether gatepost has written this file.
    pub fn contains(&self, file: &Path) -> bool {
        self.files.contains_key(file)
    }

    /// Returns the files that are not among `desired`.
    pub fn others(&self, desired: &[&Path]) -> Vec<PathBuf> {
        let is_other = |file: &&PathBuf| !desired.contains(&file.as_path());
        self.files.keys().filter(is_other).cloned().collect()
    }

    /// Adds a file, before it is written.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn add(&mut self, file: &Path) -> io::Result<()> {
        if self.files.contains_key(file) {
            return Ok(());
        }
        self.files.insert(file.to_owned(), None);
        self.write().inspect_err(|_| {
            self.files.remove(file);
        })
    }

    /// Returns when the keys in a file end, by the boottime clock, if that is known.
    pub fn end(&self, file: &Path) -> Option<Duration> {
        self.files.get(file).copied().flatten().map(Duration::from_secs)
    }

    /// Records when the keys in a file end, after it was written. If that fails, the next run removes the file too early at worst, and
    /// only if it cannot replace it.
    pub fn set_end(&mut self, file: &Path, end: Duration) {
        if let Some(known) = self.files.get_mut(file) {
            *known = Some(end.as_secs());
            let _ = self.write();
        }
    }

    /// Removes a file, after it was removed. An entry too many does no harm.
    pub fn remove(&mut self, file: &Path) {
        if self.files.remove(file).is_some() {
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
        // As gatepost 0.1 has written it.
        std::fs::write(folder.path().join(NAME), r#"["/srv/b"]"#).unwrap();
        let mut old = Record::read(folder.path());
        assert!(old.contains(b) && old.end(b).is_none());
        let end = Duration::from_secs(1830);
        old.set_end(b, end);
        old.set_end(a, end);
        let next = Record::read(folder.path());
        assert_eq!((next.end(b), next.end(a), next.contains(a)), (Some(end), None, false));
        for broken in ["", "{", "[1]", "null", "\u{feff}[]", "{\"/srv/b\":\"soon\"}"] {
            std::fs::write(folder.path().join(NAME), broken).unwrap();
            assert!(Record::read(folder.path()).others(&[]).is_empty(), "{broken}");
        }
        let mut nowhere = Record::read(&folder.path().join("none"));
        assert!(nowhere.add(a).is_err() && !nowhere.contains(a));
    }
}
