//! Atomic replacement of files: after a crash or a power cut a file has either its old or its new content.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Replaces the file at `path` with `bytes`. They are written to another file, which is synced and renamed; then the folder is synced,
/// because a power cut could undo the rename otherwise.
///
/// # Errors
/// When the folder cannot be written. The old file is then unchanged.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, bytes, File::options().write(true).create(true).truncate(true))
}

/// Replaces a file that only its owner may read, in the same way as [`replace`].
///
/// # Errors
/// When the folder cannot be written. The old file is then unchanged.
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A draft that an earlier run has left may be readable by others, or a link.
    match fs::remove_file(draft_of(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    replace_with(path, bytes, File::options().write(true).create_new(true).mode(0o600))
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn replace_with(path: &Path, bytes: &[u8], options: &OpenOptions) -> io::Result<()> {
    let draft = draft_of(path);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_content_and_no_draft_remains() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.csr");
        for text in ["old", "new"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/device.csr"), b"x").is_err());
    }

    #[test]
    fn a_private_file_is_readable_only_by_its_owner_whatever_draft_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        fs::write(folder.path().join("private.new"), "left behind").unwrap();
        for text in ["old", "new"] {
            replace_private(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
