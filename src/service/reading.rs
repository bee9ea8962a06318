//! Finds files of the configuration that root can read, but the service cannot.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{self, Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Account;
use crate::config::{self, Config, CredentialsFile, Folders, STATE_FOLDER};
use crate::local::{examine_credentials_files, examine_token_files, give_token_file_to};
use crate::problem::Problem;
use crate::token::give_pin_file_to;

/// Folders that the package's unit hides from the service (ProtectHome=, PrivateTmp=), independent of permissions.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];
/// The folder that is suggested for files.
const SUGGESTED_FOLDER: &str = "/etc/gatepost";

/// The reason why the user of the service cannot read a file.
struct Obstacle {
    /// The file that is needed.
    file: PathBuf,
    /// The file itself, or the folder above it that the user may not enter.
    closed: PathBuf,
}

/// Returns a problem for each file, including the configuration at `main`, that the user of the service cannot read. The daemon would
/// not start with most of them. The files are opened as that user, so that groups and access control lists count; without the
/// permission to switch users no problem is found.
pub fn closed_files(main: &Path, config: &Config) -> Vec<Problem> {
    let Some(account) = Account::of_service(&config.folders) else {
        return Vec::new();
    };
    let main = path::absolute(main).unwrap_or_else(|_| main.to_owned());
    let (hidden, named) = named(config)
        .into_iter()
        .partition::<Vec<_>, _>(|file| is_hidden(file, &config.folders));
    let files = config::list_files(&main).into_iter().chain(named);
    let obstacles = account.run_as(|| files.filter_map(obstacle).collect::<Vec<_>>());
    let mut reported = BTreeSet::new();
    let obstacles = obstacles.unwrap_or_default().into_iter();
    let closed = obstacles
        // A closed folder is reported once for all files in it.
        .filter(|obstacle| reported.insert(obstacle.closed.clone()))
        .map(|obstacle| problem(&obstacle, &account, &main, config));
    hidden.iter().map(|file| hidden_problem(file)).chain(closed).collect()
}

/// Returns a problem for each token file of an access rule that the service could not use, except for those that [`closed_files`]
/// reports.
pub fn unusable_token_files(config: &Config) -> Vec<Problem> {
    let Some(account) = Account::of_service(&config.folders) else {
        return examine_token_files(&config.access);
    };
    let examine = || {
        let mut rules = config.access.clone();
        rules.retain(|rule| rule.token_file.clone().and_then(obstacle).is_none());
        examine_token_files(&rules)
    };
    account.run_as(examine).unwrap_or_default()
}

/// Returns a problem for each credentials file that the service could not write.
pub fn unusable_credentials_files(config: &Config) -> Vec<Problem> {
    let Some(account) = Account::of_service(&config.folders) else {
        let own = rustix::process::geteuid().as_raw();
        // Another user cannot tell what the service may write.
        let is_service = own == 0 || fs::metadata(&config.folders.state).is_ok_and(|state| state.uid() == own);
        return match is_service {
            true => examine_credentials_files(config),
            false => Vec::new(),
        };
    };
    let (hidden, others) = config
        .credentials_files
        .iter()
        .cloned()
        .partition::<Vec<_>, _>(|file| is_hidden(&file.path, &config.folders));
    let mut reduced = config.clone();
    reduced.credentials_files = others;
    let mut problems: Vec<Problem> = hidden.iter().map(hidden_credentials_file).collect();
    problems.extend(
        account
            .run_as(|| examine_credentials_files(&reduced))
            .unwrap_or_default(),
    );
    problems
}

fn named(config: &Config) -> Vec<PathBuf> {
    let mut files = vec![config.token.module.clone(), config.identity.certificate.clone()];
    let optional = [&config.aws.root_ca, &config.identity.ca_chain, &config.token.pin_file];
    files.extend(optional.into_iter().flatten().cloned());
    if let Some(est) = config.enrolment.est() {
        files.push(est.server_ca.clone());
        files.extend(est.bootstrap.as_ref().map(|pair| pair.certificate.clone()));
    }
    let claim = config.enrolment.claim();
    files.extend(claim.map(|claim| claim.certificate.clone()));
    files.extend(claim.and_then(|claim| claim.key_file.clone()));
    files.extend(config.access.iter().filter_map(|rule| rule.token_file.clone()));
    files
}

/// Returns whether the package's unit hides a file. The state folder tells whether that unit is in use.
fn is_hidden(path: &Path, folders: &Folders) -> bool {
    folders.state == Path::new(STATE_FOLDER) && HIDDEN.iter().any(|folder| path.starts_with(folder))
}

fn hidden_problem(file: &Path) -> Problem {
    let message = format!(
        "{}: cannot be read by the service, whose unit hides {}",
        file.display(),
        HIDDEN.join(", ")
    );
    Problem::configuration(message).next(format!("move the file to {SUGGESTED_FOLDER}"))
}

fn hidden_credentials_file(file: &CredentialsFile) -> Problem {
    let message = format!(
        "{}: {} cannot be written by the service, whose unit hides {}",
        file.place,
        file.path.display(),
        HIDDEN.join(", ")
    );
    let step = "leave the path out, and let the program's setting or a symbolic link lead to the file below /run/gatepost/files";
    Problem::configuration(message).next(step)
}

/// Returns why a file cannot be read for lack of permission. A missing file is reported elsewhere.
fn obstacle(file: PathBuf) -> Option<Obstacle> {
    // Does not block on a pipe, and does not acquire a controlling terminal.
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
            _ if is_hidden(closed, &config.folders) => format!("move the file to {SUGGESTED_FOLDER}"),
            true => format!("chmod 0755 {name}"),
            false => format!("move the file to {}, or: chmod o+x {name}", ours.display()),
        };
        (format!(", because the folder {name} is closed to it"), step)
    } else if config.token.pin_file.as_ref() == Some(file) {
        (String::new(), give_pin_file_to(user, closed))
    } else if config.access.iter().any(|rule| rule.token_file.as_ref() == Some(file)) {
        // The token must not be readable by every user, or it is refused.
        (String::new(), give_token_file_to(user, closed))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_hidden_only_from_the_service_of_the_package() {
        let folders = |state: &str| Folders {
            state: state.into(),
            runtime: "/run/gatepost".into(),
            credentials: None,
        };
        for (state, file, hidden) in [
            (STATE_FOLDER, "/home/pi/ca.pem", true),
            (STATE_FOLDER, "/tmp/roots.pem", true),
            (STATE_FOLDER, "/homes/ca.pem", false),
            (STATE_FOLDER, "/etc/gatepost/fleet-ca.pem", false),
            ("/tmp/trial/state", "/tmp/trial/ca.pem", false),
        ] {
            assert_eq!(is_hidden(Path::new(file), &folders(state)), hidden, "{state}, {file}");
        }
    }
}
