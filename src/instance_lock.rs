//! Makes the daemon the only instance: creates its folders and locks the state folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::Folders;
use crate::problem::{Exit, Fatal, Problem};

/// Locks the state folder until the returned file is dropped. The folder itself is locked (flock(2)), which works on a disk
/// that is full or read-only as well.
///
/// # Errors
/// If another instance has the lock, or the folder cannot be opened.
pub fn lock(folders: &Folders) -> Result<File, Fatal> {
    let path = &folders.state;
    let folder = File::open(path).map_err(|error| cannot_create(path, &error))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(already_running(&format!("it holds {}", path.display()))),
        Err(TryLockError::Error(error)) => Err(cannot_create(path, &error)),
    }
}

/// Creates the daemon's own folders if they are missing.
///
/// # Errors
/// If one cannot be created.
pub fn create_folders(folders: &Folders) -> Result<(), Fatal> {
    create_folder(&folders.state, 0o700)?;
    create_folder(&folders.runtime, 0o755)
}

fn create_folder(folder: &Path, mode: u32) -> Result<(), Fatal> {
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(|error| cannot_create(folder, &error))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(|error| cannot_create(folder, &error))?;
    }
    Ok(())
}

/// Returns the fatal error that another instance is running, with the evidence for it.
pub fn already_running(evidence: &str) -> Fatal {
    let step = "systemctl status gatepost shows it; give a second one its own STATE_DIRECTORY and RUNTIME_DIRECTORY";
    let message = format!("another gatepostd is running: {evidence}");
    Fatal::new(Exit::Busy, Problem::configuration(message).next(step))
}

/// Returns the fatal error that a file or folder cannot be created or written.
pub fn cannot_create(path: &Path, error: &io::Error) -> Fatal {
    Fatal::new(
        Exit::CannotCreate,
        Problem::configuration(format!("{} cannot be created or written: {error}", path.display()))
            .next("check the owner of the folder, and that its disk is neither full nor read-only"),
    )
}
