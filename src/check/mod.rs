//! `gatepostd --check`, which is `gatepost check`: everything that must be right, each with what was found and what to do.
//!
//! While the daemon runs, the token, the session and the credentials are its own: it is asked. While it does not, its parts
//! are tried one by one, from the file to a signed call.

mod access;
mod aws_files;
mod call;
mod clock;
mod daemon;
mod lines;
mod messages;
mod network;
mod offline;
mod online;
mod report;
mod terminal;
mod token;
mod verdict;

use std::path::Path;
use std::sync::Arc;

use crate::arguments::print;
use crate::check_config::lack_permission;
use crate::clock::{SharedClock, SystemClock, is_set};
use crate::config::{self, ConfigError, Folders};
use crate::identity::roots;
use crate::local::AccessRules;
use crate::problem::{Exit, Fatal, Problem};
use crate::service::{closed_files, unusable_token_files};
use crate::subordinate;
use daemon::Answer;
use lines::{ACCESS_RULES, CONFIGURATION, FILES, LOOPBACK, REST, ROOT_CA};
use report::Report;
use terminal::Terminal;

/// Checks everything by the configuration at `path`, or what `user` may have, and prints what was found, as lines or as a
/// document.
///
/// # Errors
/// When something has failed; the exit code is that of the worst.
pub fn run(path: &Path, user: Option<&str>, json: bool) -> Result<(), Fatal> {
    let mut report = Report::default();
    match user {
        Some(user) => access::explain(path, user, &mut report)?,
        None => everything(path, &mut report)?,
    }
    print(&match json {
        true => report.json(),
        false => Terminal::of_stdout().dress(&report.text()),
    })?;
    report.verdict()
}

fn everything(path: &Path, report: &mut Report) -> Result<(), Fatal> {
    let folders = Folders::from_environment();
    let config = match config::load(path, &folders) {
        Ok(config) => config,
        Err(error) => {
            unreadable(&error, report);
            return with_clock(|clock| async move { without_configuration(&folders, clock, report).await });
        }
    };
    let (aliases, rules) = (config.role_aliases.len(), config.access.len());
    report.ok(
        CONFIGURATION,
        format!(
            "{} and its conf.d: role aliases: {aliases}, access rules: {rules}",
            path.display()
        ),
    );
    for note in &config.notes {
        report.warn(CONFIGURATION, &Problem::configuration(note.as_str()));
    }
    for problem in AccessRules::rules_for_nobody(&config.access)
        .iter()
        .chain(&subordinate::problems(&config))
    {
        report.warn(ACCESS_RULES, problem);
    }
    for problem in closed_files(path, &config) {
        report.fail(FILES, Exit::Configuration, &problem);
    }
    // While the daemon runs, its status tells of the token files.
    let token_files = unusable_token_files(&config);
    with_clock(|clock| async move {
        let now = is_set(&*clock).then(|| clock.aws_now());
        for problem in config.aws.root_ca.iter().flat_map(|path| roots::examine(path, now)) {
            report.warn(ROOT_CA, &problem);
        }
        match daemon::ask(&config.folders).await {
            Answer::Status(status) => online::check(&config.folders, Some(&config), &clock, status, report).await,
            Answer::NotRunning(why) => {
                for problem in token_files {
                    report.fail(LOOPBACK, Exit::Configuration, &problem);
                }
                offline::check(&config, &clock, why, report).await;
            }
        }
    })
}

/// The daemon may be as well as ever beside files that are wrong.
async fn without_configuration(folders: &Folders, clock: SharedClock, report: &mut Report) {
    match daemon::ask(folders).await {
        Answer::Status(status) => online::check(folders, None, &clock, status, report).await,
        Answer::NotRunning(why) => {
            why.tell(report);
            report.skip(REST, "without a configuration nothing is known");
        }
    }
}

fn with_clock<F: Future<Output = ()>>(check: impl FnOnce(SharedClock) -> F) -> Result<(), Fatal> {
    let clock: SharedClock = Arc::new(SystemClock::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Fatal::new(
                Exit::System,
                Problem::wait(format!("the system gives no runtime: {error}")),
            )
        })?;
    runtime.block_on(check(clock));
    // A look-up that hangs in a thread of the runtime's is not waited for.
    runtime.shutdown_background();
    Ok(())
}

/// If the caller lacks permission, suggests sudo.
fn unreadable(error: &ConfigError, report: &mut Report) {
    let problem = Problem::configuration(error.to_string());
    match lack_permission(error.findings()) {
        true => report.fail(
            CONFIGURATION,
            Exit::NO_PERMISSION,
            &problem.next("run it as root: sudo gatepost check"),
        ),
        false => report.fail(
            CONFIGURATION,
            Exit::Configuration,
            &problem.next("correct the file; each line above names one fault"),
        ),
    }
}
