//! Credentials files, for programs that can only read a file: written when new credentials come, removed when none are valid.
//!
//! The task runs on the local thread; files are written by a blocking thread, because their folder may be on a disk.

mod account;
mod examine;
mod file;
mod folder;
mod format;
mod problems;
mod record;
mod synchronize;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

pub use examine::{examine_credentials_files, find_files_for_nobody};
use synchronize::{DesiredFile, Files};

use crate::clock::{Clock, SharedClock, rfc3339};
use crate::config::CredentialsFile;
use crate::credentials::{CredentialCache, SetChanges, USABLE_MARGIN};
use crate::event::Event;
use crate::problem::Problem;
use crate::retry::RetryListener;
use crate::status::{
    CredentialsFileDetails, CredentialsFileState, CredentialsFilesDetails, CredentialsFilesPart, CredentialsFilesPhase,
    Reporter, StatusHub,
};

/// The longest time until files are looked at again. Timers stop while the machine is suspended, and expiry does not.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// Time until a file that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// Added to a wait until credentials expire, so that the timer does not fire just before.
const ROUNDING: Duration = Duration::from_secs(1);

/// The configured credentials files.
#[derive(Debug)]
pub struct CredentialsFiles {
    entries: watch::Sender<Vec<CredentialsFile>>,
    runtime: PathBuf,
    reporter: Reporter<CredentialsFilesPhase, CredentialsFilesDetails>,
}

impl CredentialsFiles {
    /// Creates the state for `entries`, with a record of the files in the folder `runtime`. Nothing is written yet.
    pub fn new(entries: Vec<CredentialsFile>, runtime: &Path, hub: &StatusHub) -> Self {
        let details = CredentialsFilesDetails::default();
        Self {
            entries: watch::Sender::new(entries),
            runtime: runtime.to_owned(),
            reporter: hub.reporter("credentials files", CredentialsFilesPhase::Waiting, details),
        }
    }

    /// Subscribes to the status.
    pub fn part(&self) -> watch::Receiver<CredentialsFilesPart> {
        self.reporter.watch()
    }

    /// Configures exactly these files. Accounts are looked up again, and files that are not configured any more are removed.
    pub fn configure(&self, entries: Vec<CredentialsFile>) {
        self.entries.send_replace(entries);
    }

    /// Writes and removes files as credentials come and expire, and when an operator requests it by `retry`. Runs for as long as the
    /// daemon.
    pub async fn keep(self: Rc<Self>, cache: CredentialCache, clock: SharedClock, mut retry: RetryListener) {
        let mut entries = self.entries.subscribe();
        let mut changes = SetChanges::new(cache.clone());
        let mut files = Some(Files::of_earlier_run(&self.runtime));
        loop {
            let configured = entries.borrow_and_update().clone();
            let desired: Vec<DesiredFile> = configured
                .into_iter()
                .map(|file| desired(file, &cache, &*clock))
                .collect();
            let mut working = match files.take() {
                Some(files) => files,
                // The blocking thread has failed with the files.
                None => Files::of_earlier_run(&self.runtime),
            };
            let work = spawn_blocking(move || {
                let problems = working.synchronize(&desired);
                (working, desired, problems)
            });
            let has_failed = match work.await {
                Ok((working, desired, problems)) => {
                    files = Some(working);
                    self.report(&desired, problems, &cache, &*clock)
                }
                Err(_) => true,
            };
            let wait = self.next_expiry(&cache, &*clock).unwrap_or(MAX_WAIT).min(MAX_WAIT);
            let is_used = !entries.borrow().is_empty();
            tokio::select! {
                changed = entries.changed() => if changed.is_err() { return },
                () = changes.changed() => {}
                () = retry.requested() => {}
                () = sleep(if has_failed { wait.min(RETRY) } else { wait }), if is_used => {}
            }
        }
    }

    /// Removes all files, at the end of a daemon that no service manager starts again.
    pub fn remove_all(&self) {
        remove_recorded_files(&self.runtime);
    }

    /// Reports the files and their problems. Returns whether there is one.
    fn report(
        &self,
        desired: &[DesiredFile],
        problems: Vec<Option<Problem>>,
        cache: &CredentialCache,
        clock: &dyn Clock,
    ) -> bool {
        let is_complete = desired.iter().all(|desired| matches!(desired.content, Some(Ok(_))));
        let files = desired.iter().zip(&problems).map(|(desired, problem)| {
            let is_written = problem.is_none() && desired.content.is_some();
            let state = match (problem, &desired.content) {
                (Some(_), _) => CredentialsFileState::Failed,
                (None, Some(_)) => CredentialsFileState::Written,
                (None, None) => CredentialsFileState::NoCredentials,
            };
            CredentialsFileDetails {
                path: desired.file.path.clone(),
                role_alias: desired.file.role_alias.clone(),
                owner: desired.file.owner.to_string(),
                format: desired.file.format.word(),
                state,
                expiration: expiration(&desired.file, cache, clock).filter(|_| is_written),
                problem: problem.as_ref().map(ToString::to_string),
                next_step: problem.as_ref().and_then(|problem| problem.next_step.clone()),
            }
        });
        let files: Vec<CredentialsFileDetails> = files.collect();
        let in_entry = |(desired, problem): (&DesiredFile, Option<Problem>)| {
            Some(problems::of_entry(problem?, &desired.file).about(Event::CredentialsFileProblem))
        };
        let problem = Problem::joined(desired.iter().zip(problems).filter_map(in_entry).collect());
        let phase = match is_complete && problem.is_none() {
            true => CredentialsFilesPhase::Written,
            false => CredentialsFilesPhase::Waiting,
        };
        let has_failed = problem.is_some();
        if desired.is_empty() && self.reporter.watch().borrow().details.files.is_empty() {
            // There is nothing to say about a part that is not configured.
            return false;
        }
        self.reporter.report_with(phase, problem, |details| {
            details.files = files;
            details.attempts += 1;
        });
        has_failed
    }

    /// Returns the time until the first credentials in a file are no longer handed out.
    fn next_expiry(&self, cache: &CredentialCache, clock: &dyn Clock) -> Option<Duration> {
        let entries = self.entries.borrow();
        let remaining = entries.iter().filter_map(|file| {
            let alias = cache.get(&file.role_alias, clock)?;
            Some(alias.usable(clock)?.remaining(clock))
        });
        remaining
            .min()
            .map(|left| left.saturating_sub(USABLE_MARGIN) + ROUNDING)
    }
}

/// Removes all files that the record in `runtime` names, at the end of the service.
pub fn remove_recorded_files(runtime: &Path) {
    Files::of_earlier_run(runtime).remove_all();
}

fn desired(file: CredentialsFile, cache: &CredentialCache, clock: &dyn Clock) -> DesiredFile {
    let alias = cache.get(&file.role_alias, clock);
    let set = alias.as_ref().and_then(|alias| alias.usable(clock));
    let (now, left) = (clock.boot(), set.map(|set| set.remaining(clock)).unwrap_or_default());
    DesiredFile {
        life: now..now + left.saturating_sub(USABLE_MARGIN),
        content: set.map(|set| format::content(file.format, set.keys(), set.shown_expiration(clock))),
        access_key_id: set.map(|set| set.keys().access_key_id.clone()).unwrap_or_default(),
        file,
    }
}

fn expiration(file: &CredentialsFile, cache: &CredentialCache, clock: &dyn Clock) -> Option<String> {
    let alias = cache.get(&file.role_alias, clock)?;
    Some(rfc3339(alias.usable(clock)?.expiration()))
}

#[cfg(test)]
mod tests;
