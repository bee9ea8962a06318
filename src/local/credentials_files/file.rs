//! Replaces and removes a credentials file, relative to its open folder.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fdatasync, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::account::Account;
use crate::local::access::TokenReader;
use crate::local::grant::grant_read;

/// Write permission of anybody. Files of gatepost have none, and files of people usually have one.
const WRITE: u32 = 0o222;

/// The file that is found where a credentials file belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// A file that gatepost may replace.
    Own,
    /// A file that somebody else has written.
    Foreign,
    Link,
    /// A folder, a pipe or something else that is not a regular file.
    Other,
}

/// Finds out what `name` in `folder` is. `is_recorded` tells whether gatepost has written this path before. Without that record, which a
/// boot ends, a file of the writer or of the reader counts as gatepost's if nobody may write it.
pub fn find(
    folder: &OwnedFd,
    name: &OsStr,
    writer: &Account,
    reader: Option<u32>,
    is_recorded: bool,
) -> io::Result<Found> {
    let found = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(Found::Nothing),
        Err(error) => return Err(error.into()),
        Ok(found) => found,
    };
    let is_from_gatepost = found.st_mode & WRITE == 0 && (found.st_uid == writer.uid || Some(found.st_uid) == reader);
    Ok(match FileType::from_raw_mode(found.st_mode) {
        FileType::Symlink => Found::Link,
        FileType::RegularFile if is_recorded || is_from_gatepost => Found::Own,
        FileType::RegularFile => Found::Foreign,
        _ => Found::Other,
    })
}

/// Writes `content` under a hidden name, lets `reader` read it, and renames it to `name`. Nobody sees an incomplete file, or one that
/// others can read.
pub fn replace(folder: &OwnedFd, name: &OsStr, content: &str, reader: TokenReader) -> io::Result<()> {
    let draft = draft_name(name);
    remove(folder, &draft)?;
    // A new file is never opened through a link.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, &draft, flags, Mode::RUSR)?);
    let outcome = file
        .write_all(content.as_bytes())
        .and_then(|()| grant_read(&file, reader))
        .and_then(|()| Ok(fdatasync(&file)?))
        .and_then(|()| Ok(renameat(folder, &draft, folder, name)?));
    if outcome.is_err() {
        // The caller reports the error; an incomplete file is of no use.
        let _ = remove(folder, &draft);
    }
    outcome
}

/// Removes `name`, if it exists. A link is removed, not followed.
pub fn remove(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(error) if error != Errno::NOENT => Err(error.into()),
        _ => Ok(()),
    }
}

fn draft_name(name: &OsStr) -> OsString {
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(".gatepost-new");
    draft
}
