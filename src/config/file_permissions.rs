//! Refuses configuration that unprivileged users may change, because an access rule could grant them anything.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// S_IWOTH (inode(7)).
const WRITABLE_BY_ALL: u32 = 0o002;
/// The sticky bit (inode(7)).
const STICKY: u32 = 0o1000;

/// The owner that the kernel shows for a user who is not mapped into the user namespace (user_namespaces(7)).
const OVERFLOW: u32 = 65_534;

/// Refuses a file or a folder that every user may write, or that belongs to a user other than root and the reader. A user who may
/// write the folder could replace the files, or create a `conf.d`.
///
/// # Errors
/// With a line that has the reason and the next step.
pub(super) fn check(path: &Path, metadata: &Metadata) -> Result<(), String> {
    check_mode(path, metadata)?;
    let (owner, reader) = (metadata.uid(), rustix::process::geteuid().as_raw());
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

/// Returns whether a map of user IDs (user_namespaces(7)) has all users, as the initial namespace's map does.
fn has_all_users(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn check_mode(path: &Path, metadata: &Metadata) -> Result<(), String> {
    match is_open(metadata.mode()) {
        false => Ok(()),
        true => {
            // A folder with the sticky bit, such as /tmp, is writable on purpose.
            let advice = match metadata.mode() & STICKY != 0 {
                true => "move the configuration to a folder of root's".to_owned(),
                false => format!("chmod o-w {}", path.display()),
            };
            Err(format!(
                "{}: every user may write it (mode {:04o}), and so give itself everything: {advice}",
                path.display(),
                metadata.mode() & 0o7777,
            ))
        }
    }
}

/// Refuses a file that the configuration names and gatepost trusts, if every user may write it. A missing file is reported when
/// it is read.
///
/// # Errors
/// With a line that has the reason and the next step.
pub(super) fn check_named(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => check_mode(path, &metadata),
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
    fn a_file_is_open_if_every_user_may_write_it() {
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
    fn the_advice_is_never_to_change_the_mode_of_tmp() {
        let path = std::env::temp_dir();
        let metadata = fs::metadata(&path).unwrap();
        let refusal = check_mode(&path, &metadata);
        if metadata.mode() & 0o7777 == 0o1777 {
            let refusal = refusal.unwrap_err();
            assert!(
                refusal.contains("move the configuration") && !refusal.contains("chmod"),
                "{refusal}"
            );
        }
    }
}
