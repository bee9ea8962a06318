//! Files that root puts into folders that may belong to others: written under a hidden name, then moved into their place.
//!
//! The hidden file is made anew and never opened through a link, so that the folder's owner cannot send it elsewhere. It has its
//! content, owner and mode before it gets its name.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Gid, Mode, OFlags, RenameFlags, Uid};

/// Hidden names that are tried.
const TRIES: u32 = 100;

/// The user and group that a file is given, where this process may give it away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner(pub Option<(u32, u32)>);

/// A file without a name yet. It is removed again unless it gets one.
#[derive(Debug)]
pub struct NewFile {
    hidden: PathBuf,
}

impl NewFile {
    /// Writes `bytes` to a hidden file in `folder` that everybody may read, and syncs it.
    ///
    /// # Errors
    /// When the folder does not take it.
    pub fn write(folder: &Path, bytes: &[u8], owner: Owner) -> io::Result<Self> {
        let (hidden, file) = create(folder)?;
        let new = Self { hidden };
        let mut file = File::from(file);
        if let Some((uid, gid)) = owner.0 {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        // Whatever the umask.
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(new)
    }

    /// Gives it a name that nothing else has.
    ///
    /// # Errors
    /// With [`io::ErrorKind::AlreadyExists`] where something has the name.
    pub fn place_beside_others(&self, path: &Path) -> io::Result<()> {
        rustix::fs::renameat_with(CWD, &self.hidden, CWD, path, RenameFlags::NOREPLACE)?;
        sync_folder(path)
    }

    /// Gives it a name, whatever has it now. Whoever opens that name finds the old file or the new one.
    ///
    /// # Errors
    /// When the folder does not take it; the old file is then still there.
    pub fn replace(&self, path: &Path) -> io::Result<()> {
        fs::rename(&self.hidden, path)?;
        sync_folder(path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // It has another name by now, or nobody misses it.
        let _ = fs::remove_file(&self.hidden);
    }
}

/// Makes a folder that everybody may read, if there is none.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(folder, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives the file at `path` a second name, in the place of whatever has that name. A link is not followed.
///
/// # Errors
/// When there is no file at `path`, or the folder does not take it.
pub fn keep_aside(path: &Path, second: &Path) -> io::Result<()> {
    let folder = second.parent().unwrap_or(Path::new("."));
    let hidden = hidden_name(folder);
    fs::hard_link(path, &hidden)?;
    let moved = fs::rename(&hidden, second);
    // Two names of one file are not renamed onto each other (rename(2)).
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
    fn a_file_that_gets_no_name_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(NewFile::write(folder.path(), b"new", Owner::default()).unwrap());
        assert!(names(folder.path()).is_empty());
        assert!(NewFile::write(&folder.path().join("missing"), b"new", Owner::default()).is_err());
    }

    #[test]
    fn the_old_file_is_kept_aside_and_the_new_one_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("device.pem"), folder.path().join("device.pem.old"));
        assert!(keep_aside(&path, &aside).is_err());
        for content in ["first", "second", "third"] {
            if path.exists() {
                keep_aside(&path, &aside).unwrap();
                // Once more, as after a crash in between.
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
