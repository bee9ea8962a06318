//! Names of the files beside the database.

use std::fs;
use std::path::{Path, PathBuf};

/// Appends `suffix` to the file name of `path`.
pub(in crate::messages) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Returns the path of the write-ahead log of the database at `path`.
pub(in crate::messages) fn log_of(path: &Path) -> PathBuf {
    with_suffix(path, "-wal")
}

/// Returns the path of a copy of the database at `path` that will replace it.
pub(in crate::messages) fn draft_of(path: &Path) -> PathBuf {
    with_suffix(path, "-anew")
}

/// Removes an unfinished copy, and SQLite's journal of it, which would roll the next copy back.
pub(in crate::messages) fn remove_draft(draft: &Path) {
    for file in [draft.to_owned(), with_suffix(draft, "-journal")] {
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remove_draft_removes_the_rest_of_an_interrupted_copy() {
        let folder = tempfile::tempdir().unwrap();
        let draft = draft_of(&folder.path().join("messages.db"));
        let journal = with_suffix(&draft, "-journal");
        for files in [vec![&draft, &journal], vec![&journal], vec![&draft], vec![]] {
            files.iter().for_each(|file| fs::write(file, "left").unwrap());
            remove_draft(&draft);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{files:?}");
        }
    }
}
