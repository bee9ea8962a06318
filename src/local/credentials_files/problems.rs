//! The problems with a credentials file, each with its next step.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::io::Errno;

use super::file::Found;
use crate::config::CredentialsFile;
use crate::foreign_text::clean;
use crate::problem::Problem;

/// Returns the problem of a file that cannot be written, or whose folder cannot.
pub fn unwritable(path: &Path, error: &io::Error) -> Problem {
    let name = path.display();
    let folder = path.parent().unwrap_or(path).display();
    let message = format!("{name} cannot be written: {}", clean(error));
    let step = match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT) => format!("free space on the file system of {folder}: df {folder}"),
        Some(Errno::ROFS) => format!(
            "let the service write there: systemctl edit gatepost, with the lines [Service] and ReadWritePaths={folder}; or choose a path below /run/gatepost/files"
        ),
        Some(Errno::OPNOTSUPP) => format!(
            "choose a folder on a file system with access control lists, such as a tmpfs: {folder} has none, and gatepost may not give files away"
        ),
        Some(Errno::NAMETOOLONG) => "choose a shorter path".to_owned(),
        _ if error.kind() == ErrorKind::PermissionDenied => {
            format!("let gatepost's group write there: chgrp gatepost {folder} && chmod g+w {folder}")
        }
        _ => format!("look at {folder} and its file system"),
    };
    Problem::configuration(message).next(step)
}

/// Returns the problem of a file that cannot be removed.
pub fn not_removed(path: &Path, error: &io::Error) -> Problem {
    let message = format!(
        "{} holds keys that have expired, and cannot be removed: {}",
        path.display(),
        clean(error)
    );
    Problem::configuration(message).next("remove it")
}

/// Returns the problem of a file that can be neither replaced nor removed. Why, is the problem of its replacement.
pub fn expired(path: &Path) -> Problem {
    let message = format!("{} holds keys that have expired", path.display());
    Problem::configuration(message)
}

/// Returns the problem of something else in the place of the file.
pub fn occupied(path: &Path, found: Found) -> Problem {
    let name = path.display();
    let (message, step) = match found {
        Found::Link => (
            format!("{name} is a symbolic link, and gatepost follows none"),
            "remove it, or name the file that it leads to",
        ),
        Found::Foreign => (
            format!("{name} was not written by gatepost, and would be lost"),
            "move it away, or choose another path",
        ),
        _ => (format!("{name} is not a file"), "choose another path"),
    };
    Problem::configuration(message).next(step)
}

/// Adds which file of which entry a problem is about.
pub fn of_entry(problem: Problem, entry: &CredentialsFile) -> Problem {
    let (place, path) = (&entry.place, entry.path.display().to_string());
    let message = match problem.message.contains(&path) {
        true => format!("{place}: {}", problem.message),
        false => format!("{place} ({path}): {}", problem.message),
    };
    Problem { message, ..problem }
}
