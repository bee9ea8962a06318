//! Configuration that somebody else may change: whoever writes an access rule gives himself what he likes.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// S_IWOTH (inode(7)).
const WRITABLE_BY_ALL: u32 = 0o002;
/// The sticky bit (inode(7)).
const STICKY: u32 = 0o1000;

/// The owner that the kernel shows for one that a user namespace does not have (user_namespaces(7)): nobody in there is it.
const OVERFLOW: u32 = 65_534;

/// Refuses a file that every user may write, or a folder of such files: whoever may write the folder may replace the files, or
/// make a `conf.d` where there is none. The same is true of its owner, unless that is root or the user that reads it.
///
/// # Errors
/// With the reason and the next step, as a line about it.
pub(super) fn check(path: &Path, found: &Metadata) -> Result<(), String> {
    check_mode(path, found)?;
    let (owner, reader) = (found.uid(), rustix::process::geteuid().as_raw());
    let has_all = || fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| has_all_users(&map));
    match is_trusted(owner, reader, has_all) {
        true => Ok(()),
        false => Err(format!(
            "{}: it belongs to uid {owner}, who may write it and so give itself everything: chown root {}",
            path.display(),
            path.display()
        )),
    }
}

fn is_trusted(owner: u32, reader: u32, has_all_users: impl Fn() -> bool) -> bool {
    owner == 0 || owner == reader || (owner == OVERFLOW && !has_all_users())
}

/// Whether a map of user IDs (user_namespaces(7)) has every user: that of the system itself does.
fn has_all_users(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn check_mode(path: &Path, found: &Metadata) -> Result<(), String> {
    match is_open(found.mode()) {
        false => Ok(()),
        true => {
            // /tmp and the like (a folder with the sticky bit) are open on purpose.
            let advice = match found.mode() & STICKY != 0 {
                true => "move the configuration to a folder of root's".to_owned(),
                false => format!("chmod o-w {}", path.display()),
            };
            Err(format!(
                "{}: every user may write it (mode {:04o}), and so give itself everything: {advice}",
                path.display(),
                found.mode() & 0o7777,
            ))
        }
    }
}

/// Refuses a file that the configuration names and gatepost believes, if every user may write it. One that is not there, or not a
/// file, is told of by whoever reads it.
///
/// # Errors
/// Likewise.
pub(super) fn check_named(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => check_mode(path, &found),
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
    fn the_owner_is_root_or_the_reader() {
        for (owner, reader, whole, trusted) in [
            (0, 0, true, true),
            (0, 1000, true, true),
            (1000, 1000, true, true),
            (1000, 0, true, false),
            (1000, 1001, true, false),
            (OVERFLOW, 0, true, false),
            (OVERFLOW, 0, false, true),
            (OVERFLOW, OVERFLOW, true, true),
            (1000, 0, false, false),
            (u32::MAX, 0, true, false),
        ] {
            assert_eq!(is_trusted(owner, reader, || whole), trusted, "{owner} {reader} {whole}");
        }
        assert!(has_all_users("         0          0 4294967295\n"));
        for part in ["0 1000 1\n", "0 100000 65536\n", "0 0 4294967295\n1 1 1\n", ""] {
            assert!(!has_all_users(part), "{part}");
        }
    }

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

    #[test]
    fn nobody_is_told_to_close_tmp() {
        let path = std::env::temp_dir();
        let found = fs::metadata(&path).unwrap();
        let refusal = check_mode(&path, &found);
        if found.mode() & 0o7777 == 0o1777 {
            let refusal = refusal.unwrap_err();
            assert!(
                refusal.contains("move the configuration") && !refusal.contains("chmod"),
                "{refusal}"
            );
        }
    }
}
