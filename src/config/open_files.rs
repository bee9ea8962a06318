//! Configuration that every user may change: whoever writes an access rule gives himself what he likes.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// S_IWOTH (inode(7)).
const WRITABLE_BY_ALL: u32 = 0o002;

/// Refuses a file that every user may write, or a folder of such files: whoever may write the folder may replace the files, or
/// make a `conf.d` where there is none.
///
/// # Errors
/// With the reason and the next step, as a line about it.
pub(super) fn check(path: &Path, found: &Metadata) -> Result<(), String> {
    match is_open(found.mode()) {
        false => Ok(()),
        true => Err(format!(
            "{}: every user may write it (mode {:04o}), and so give itself everything; next: chmod o-w {}",
            path.display(),
            found.mode() & 0o7777,
            path.display()
        )),
    }
}

/// Refuses a file that the configuration names and gatepost believes, if every user may write it. One that is not there, or not a
/// file, is told of by whoever reads it.
///
/// # Errors
/// Likewise.
pub(super) fn check_named(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => check(path, &found),
        _ => Ok(()),
    }
}

fn is_open(mode: u32) -> bool {
    mode & WRITABLE_BY_ALL != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_may_write_is_open() {
        for (mode, open) in [
            (0o100_644, false),
            (0o100_600, false),
            (0o100_664, false),
            (0o100_640, false),
            (0o100_444, false),
            (0o100_646, true),
            (0o100_666, true),
            (0o100_602, true),
            (0o040_755, false),
            (0o040_775, false),
            (0o040_777, true),
            // Others may add files to a folder with the sticky bit as well.
            (0o041_777, true),
        ] {
            assert_eq!(is_open(mode), open, "{mode:o}");
        }
    }
}
