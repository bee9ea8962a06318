//! Which of the files that the configuration names the service may not read, although root may.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Account;
use crate::config::Config;
use crate::problem::Problem;
use crate::token::give_pin_file_to;

/// What keeps the service's user from a file.
struct Obstacle {
    /// The file that is needed.
    file: PathBuf,
    /// The file itself, or the folder above it that may not be entered.
    closed: PathBuf,
}

/// A problem for each file, the configuration at `main` itself included, that the service's user cannot read: the daemon
/// would end over most of them at its next start. Seen through that user's eyes, so that groups and access control lists
/// count; nothing where this process cannot do that.
pub fn closed_files(main: &Path, config: &Config) -> Vec<Problem> {
    let Some(account) = Account::of_service(&config.folders) else {
        return Vec::new();
    };
    let files = needed(main, config);
    let obstacles = account.look(|| files.into_iter().filter_map(obstacle).collect::<Vec<_>>());
    let mut told = BTreeSet::new();
    let obstacles = obstacles.unwrap_or_default().into_iter();
    obstacles
        // A folder keeps everything in it away.
        .filter(|obstacle| told.insert(obstacle.closed.clone()))
        .map(|obstacle| problem(&obstacle, &account, main, config))
        .collect()
}

fn needed(main: &Path, config: &Config) -> Vec<PathBuf> {
    let mut files = Config::files(main);
    files.extend([config.token.module.clone(), config.identity.certificate.clone()]);
    let optional = [&config.aws.root_ca, &config.identity.ca_chain, &config.token.pin_file];
    files.extend(optional.into_iter().flatten().cloned());
    files
}

/// Only permissions are looked at here: what is not there is told where it is missed.
fn obstacle(file: PathBuf) -> Option<Obstacle> {
    // Neither waits for the other end of a pipe nor takes a terminal for its own.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    if rustix::fs::open(&file, flags, Mode::empty()).err() != Some(Errno::ACCESS) {
        return None;
    }
    let mut above: Vec<&Path> = file.ancestors().skip(1).collect();
    above.reverse();
    let closed = above.into_iter().find(|folder| may_not_enter(folder));
    Some(Obstacle {
        closed: closed.unwrap_or(&file).to_owned(),
        file,
    })
}

fn may_not_enter(folder: &Path) -> bool {
    fs::metadata(folder.join(".")).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn problem(obstacle: &Obstacle, account: &Account, main: &Path, config: &Config) -> Problem {
    let Obstacle { file, closed } = obstacle;
    let (user, name) = (&account.name, closed.display());
    let ours = main.parent().unwrap_or(main);
    let (why, step) = if closed != file {
        let step = match closed.starts_with(ours) {
            true => format!("chmod 0755 {name}"),
            false => format!("move the file to {}, or: chmod o+x {name}", ours.display()),
        };
        (format!(", because the folder {name} is closed to it"), step)
    } else if config.token.pin_file.as_ref() == Some(file) {
        (String::new(), give_pin_file_to(user, closed))
    } else {
        let mode = if closed.is_dir() { "0755" } else { "0644" };
        (String::new(), format!("chmod {mode} {name}"))
    };
    let message = format!(
        "{}: cannot be read by {user}, the user of the service{why}",
        file.display()
    );
    Problem::configuration(message).next(step)
}
