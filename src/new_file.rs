//! Safe creation of files by root in folders that may belong to other users: a file is written under a hidden name and then renamed.
//!
//! The hidden file is always newly created and never opened through a link, so the owner of the folder cannot redirect the write. It
//! has its content, owner and mode before it gets its name.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Gid, Mode, OFlags, RenameFlags, Uid};

/// Number of hidden names to try.
const TRIES: u32 = 100;

/// The user and group that become the owner of a file; `None` to leave it with this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner(pub Option<(u32, u32)>);

/// A file that has only a hidden name yet. It is removed unless it gets a name.
#[derive(Debug)]
pub struct NewFile {
    hidden: PathBuf,
}

impl NewFile {
    /// Writes `bytes` to a hidden file in `folder` that every user may read, and syncs it.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn write(folder: &Path, bytes: &[u8], owner: Owner) -> io::Result<Self> {
        let (hidden, file) = create(folder)?;
        let new = Self { hidden };
        let mut file = File::from(file);
        if let Some((uid, gid)) = owner.0 {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        // Independent of the umask.
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(new)
    }

    /// Renames the file to a name that must be free.
    ///
    /// # Errors
    /// With [`io::ErrorKind::AlreadyExists`] if the name is taken.
    pub fn place_beside_others(&self, path: &Path) -> io::Result<()> {
        rustix::fs::renameat_with(CWD, &self.hidden, CWD, path, RenameFlags::NOREPLACE)?;
        sync_folder(path)
    }

    /// Renames the file, replacing any file of that name atomically.
    ///
    /// # Errors
    /// When the file cannot be renamed. The old file is then unchanged.
    pub fn replace(&self, path: &Path) -> io::Result<()> {
        fs::rename(&self.hidden, path)?;
        sync_folder(path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.hidden);
    }
}

/// Creates a folder that every user may read, unless it exists.
///
/// # Errors
/// When it cannot be created.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(folder, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives the file at `path` a second name, replacing any file of that name. A link is not followed.
///
/// # Errors
/// If there is no file at `path`, or the second name cannot be created.
pub fn keep_aside(path: &Path, second: &Path) -> io::Result<()> {
    let folder = second.parent().unwrap_or(Path::new("."));
    let hidden = hidden_name(folder);
    fs::hard_link(path, &hidden)?;
    let moved = fs::rename(&hidden, second);
    // rename(2) does nothing if both names already refer to the same file.
    let _ = fs::remove_file(&hidden);
    moved
}

fn create(folder: &Path) -> io::Result<(PathBuf, rustix::fd::OwnedFd)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..TRIES {
        let hidden = hidden_name(folder);
        match rustix::fs::open(&hidden, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return Ok((hidden, file)),
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn hidden_name(folder: &Path) -> PathBuf {
    folder.join(format!(".gatepost-{:016x}.new", fastrand::u64(..)))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_a_free_name_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("taken"), "old").unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("link")).unwrap();
        let new = NewFile::write(folder.path(), b"new", Owner::default()).unwrap();
        for name in ["taken", "link"] {
            let refused = new.place_beside_others(&at(name)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists, "{name}");
        }
        new.place_beside_others(&at("free")).unwrap();
        drop(new);
        assert_eq!(names(folder.path()), ["free", "link", "taken"]);
        assert_eq!(fs::read_to_string(at("taken")).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("free")).unwrap(), "new");
        assert_eq!(fs::metadata(at("free")).unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn a_file_that_gets_no_name_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        drop(NewFile::write(folder.path(), b"new", Owner::default()).unwrap());
        assert!(names(folder.path()).is_empty());
        assert!(NewFile::write(&folder.path().join("missing"), b"new", Owner::default()).is_err());
    }

    #[test]
    fn the_old_file_is_kept_aside_and_the_new_one_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("device.pem"), folder.path().join("device.pem.old"));
        assert!(keep_aside(&path, &aside).is_err());
        for content in ["first", "second", "third"] {
            if path.exists() {
                keep_aside(&path, &aside).unwrap();
                // Again, as after a crash in between.
                keep_aside(&path, &aside).unwrap();
            }
            let new = NewFile::write(folder.path(), content.as_bytes(), Owner::default()).unwrap();
            new.replace(&path).unwrap();
            drop(new);
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_to_string(&aside).unwrap(), "second");
        assert_eq!(names(folder.path()), ["device.pem", "device.pem.old"]);
    }
}
