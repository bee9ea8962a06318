//! The record of how the daemon ended last, for commands that run while it does not: a file in the runtime folder that every user may
//! read. It exists only between an end and the next start.
//!
//! Connecting to the socket would not be an alternative. systemd listens there and would start the daemon, although an administrator
//! has stopped it, or although each start uses up an attempt of the PIN.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::clock::rfc3339;
use crate::config::Folders;
use crate::instance_lock;
use crate::overview::{Finding, Overview, State};
use crate::problem::{Exit, Fatal, Problem};

const NAME: &str = "end.json";

#[derive(Serialize)]
struct Document<'a> {
    ended: &'a str,
    state: State,
    summary: &'a str,
    working: bool,
    exit_code: u8,
    problems: &'a [Finding],
}

/// The fields that are read from the file.
#[derive(Debug, Deserialize)]
pub struct LastEnd {
    /// The exit code for commands that query the daemon.
    pub exit_code: u8,
    problems: Vec<Cause>,
}

#[derive(Debug, Deserialize)]
struct Cause {
    message: String,
    next_step: Option<String>,
}

impl LastEnd {
    /// Returns the exit code, and why the daemon has ended.
    pub fn verdict(self) -> (Exit, Problem) {
        let exit = Exit::from_query(self.exit_code);
        let cause = self.problems.into_iter().next();
        let problem = cause.map(|cause| Problem {
            next_step: cause.next_step,
            ..Problem::configuration(cause.message)
        });
        (
            exit,
            problem.unwrap_or_else(|| Problem::configuration("gatepostd is not running")),
        )
    }
}

/// Records how this run has ended, unless another daemon is running with the same folders.
pub fn record(folders: &Folders, fatal: Option<&Fatal>) {
    if instance_lock::lock(folders).is_err_and(|fatal| fatal.exit == Exit::Busy) {
        return;
    }
    let now = rfc3339(std::time::SystemTime::now());
    let overview = match fatal {
        None => {
            let problem = Problem::configuration(format!("gatepostd is not running: it was stopped at {now}"));
            Overview::of_stopped(Exit::NotRunning, problem.next("systemctl start gatepost"))
        }
        Some(fatal) => {
            let message = format!(
                "gatepostd is not running: {} (it ended at {now})",
                fatal.problem.message
            );
            let step = fatal.problem.next_step.clone();
            let problem = Problem {
                message,
                next_step: Some(next_step(step)),
                ..fatal.problem.clone()
            };
            Overview::of_stopped(fatal.exit.for_query(), problem)
        }
    };
    let document = Document {
        ended: &now,
        state: overview.state,
        summary: &overview.summary,
        working: false,
        exit_code: overview.exit_code,
        problems: &overview.findings,
    };
    // Without write access to the folder no command reads it either.
    let text = serde_json::to_vec(&document).unwrap_or_default();
    let path = path(folders);
    let written =
        atomic_file::replace(&path, &text).and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o644)));
    if let Err(error) = written {
        log::debug!("{} cannot be written: {error}", path.display());
    }
}

/// Returns the next step: to fix the problem first, then to start the daemon.
fn next_step(step: Option<String>) -> String {
    const START: &str = "systemctl restart gatepost.socket gatepost.service";
    match step {
        Some(step) => format!("{step}; then: {START}"),
        None => START.to_owned(),
    }
}

/// Removes the record of the previous run.
pub fn forget(folders: &Folders) {
    match fs::remove_file(path(folders)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            log::debug!("{} cannot be removed: {error}", path(folders).display());
        }
        _ => {}
    }
}

/// Returns how the last run has ended; `None` while the daemon may be running, or if it was killed.
pub fn read(runtime_folder: &Path) -> Option<LastEnd> {
    serde_json::from_slice(&fs::read(runtime_folder.join(NAME)).ok()?).ok()
}

fn path(folders: &Folders) -> PathBuf {
    folders.runtime.join(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_run_is_recorded_until_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            state: folder.path().to_owned(),
            runtime: folder.path().to_owned(),
            credentials: None,
        };
        assert!(read(folder.path()).is_none());
        let fatal = |exit| Some(Fatal::new(exit, Problem::factory("the cause").next("mend it")));
        for (outcome, code, words) in [
            (None, Exit::NotRunning, "it was stopped at"),
            (fatal(Exit::Pin), Exit::Pin, "the cause"),
            (fatal(Exit::Configuration), Exit::Configuration, "the cause"),
            (fatal(Exit::Usage), Exit::Configuration, "the cause"),
            (fatal(Exit::System), Exit::NotRunning, "the cause"),
            (fatal(Exit::CannotCreate), Exit::NotRunning, "the cause"),
        ] {
            record(&folders, outcome.as_ref());
            let mode = fs::metadata(path(&folders)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644, "every user may read it");
            let (exit, problem) = read(folder.path()).unwrap().verdict();
            assert_eq!(exit, code, "{outcome:?}");
            assert!(problem.message.contains(words), "{problem}");
            let step = problem.next_step.unwrap();
            assert!(
                outcome.is_none() || step.starts_with("mend it; then: systemctl restart"),
                "{step}"
            );
        }
        forget(&folders);
        forget(&folders);
        assert!(read(folder.path()).is_none());
        let _running = instance_lock::lock(&folders).unwrap();
        record(&folders, None);
        assert!(read(folder.path()).is_none(), "another one runs");
        fs::write(path(&folders), "garbage").unwrap();
        assert!(read(folder.path()).is_none());
    }
}
