//! `gatepostd --check`, the implementation of `gatepost check`: checks everything that gatepost needs, and reports each result with the
//! next step.
//!
//! While the daemon is running, it is queried, because it uses the token, the session and the credentials itself. Otherwise the check
//! tries each part in turn, from the configuration to a signed call of AWS.

mod access;
mod aws;
mod bootstrap;
mod call;
mod clock;
mod daemon;
mod enrolment;
mod identity;
mod lines;
mod listeners;
mod messages;
mod mqtt_programs;
mod network;
mod offline;
mod online;
mod report;
mod terminal;
mod token;
mod verdict;

use std::path::Path;
use std::sync::Arc;

use crate::check_config::should_be_root;
use crate::clock::{SharedClock, SystemClock, is_set};
use crate::config::{self, ConfigError, Folders};
use crate::identity::roots;
use crate::local::AccessRules;
use crate::problem::{Exit, Fatal, Problem};
use crate::service::{closed_files, unusable_token_files};
use crate::stdout::print;
use crate::subordinate;
use daemon::Answer;
use lines::{ACCESS_RULES, CONFIGURATION, FILES, REST, ROOT_CA};
use report::Report;
use terminal::Terminal;

/// Checks everything with the configuration at `path`, or explains the permissions of `user`, and prints the report as lines or as a
/// JSON document.
///
/// # Errors
/// When a check has failed, with the exit code of the worst failure.
pub fn run(path: &Path, user: Option<&str>, json: bool) -> Result<(), Fatal> {
    let mut report = Report::default();
    match user {
        Some(user) => access::explain(path, user, &mut report)?,
        None => check_everything(path, &mut report)?,
    }
    print(&match json {
        true => report.json(),
        false => Terminal::of_stdout().format(&report.text()),
    })?;
    report.verdict()
}

fn check_everything(path: &Path, report: &mut Report) -> Result<(), Fatal> {
    let folders = Folders::from_environment();
    let config = match config::load(path, &folders) {
        Ok(config) => config,
        Err(error) => {
            report_config_error(&error, report);
            return with_clock(|clock| async move { check_without_configuration(&folders, clock, report).await });
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
    // While the daemon is running, its status covers the token files.
    let token_files = unusable_token_files(&config);
    with_clock(|clock| async move {
        let now = is_set(&*clock).then(|| clock.aws_now());
        for problem in config.aws.root_ca.iter().flat_map(|path| roots::examine(path, now)) {
            report.warn(ROOT_CA, &problem);
        }
        match daemon::query_status(&config.folders).await {
            Answer::Status(status) => online::check(&config.folders, Some(&config), &clock, status, report).await,
            Answer::NotRunning(why) => {
                for problem in token_files {
                    report.fail(listeners::check_of_secrets(&config), Exit::Configuration, &problem);
                }
                offline::check(&config, &clock, why, report).await;
            }
        }
    })
}

/// Checks the daemon when the files are wrong. It may be running with an earlier configuration.
async fn check_without_configuration(folders: &Folders, clock: SharedClock, report: &mut Report) {
    match daemon::query_status(folders).await {
        Answer::Status(status) => online::check(folders, None, &clock, status, report).await,
        Answer::NotRunning(why) => {
            why.report_to(report);
            report.skip(REST, "nothing can be checked without a configuration");
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
                Problem::wait(format!("the system does not provide a runtime: {error}")),
            )
        })?;
    runtime.block_on(check(clock));
    // Does not wait for a name lookup that hangs in one of the runtime's threads.
    runtime.shutdown_background();
    Ok(())
}

/// Reports a configuration that cannot be read. If the caller lacks permission, suggests sudo.
fn report_config_error(error: &ConfigError, report: &mut Report) {
    let problem = Problem::configuration(error.to_string());
    match should_be_root(error.is_denied()) {
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
