//! `gatepostd --check`, which is `gatepost check`: everything that must be right, each with what was found and what to do.
//!
//! While the daemon runs, the token, the session and the credentials are its own: it is asked. While it does not, its parts
//! are tried one by one, from the file to a signed call.

mod access;
mod alone;
mod aws_files;
mod call;
mod messages;
mod network;
mod report;
mod running;

use std::path::Path;
use std::sync::Arc;

use crate::arguments::print;
use crate::clock::{SharedClock, SystemClock, is_set, rfc3339};
use crate::config::{Config, Folders};
use crate::problem::{Exit, Fatal, Problem};
use crate::service::closed_files;
use crate::{subordinate, timekeeper};
use report::{Outcome, Report};

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
    print(&if json { report.json() } else { report.text() })?;
    report.verdict()
}

fn everything(path: &Path, report: &mut Report) -> Result<(), Fatal> {
    let folders = Folders::from_environment();
    let config = match Config::load(path, &folders) {
        Ok(config) => config,
        Err(error) => {
            report.fail("configuration", Exit::Configuration, &unreadable(error.to_string()));
            report.skip("everything else", "without a configuration nothing is known");
            return Ok(());
        }
    };
    let (aliases, rules) = (config.role_aliases.len(), config.access.len());
    report.ok(
        "configuration",
        format!(
            "{} and its conf.d: role aliases: {aliases}, access rules: {rules}",
            path.display()
        ),
    );
    for note in &config.notes {
        report.warn("configuration", &Problem::configuration(note.as_str()));
    }
    for problem in subordinate::problems(&config) {
        report.warn("access rules", &problem);
    }
    for problem in closed_files(path, &config) {
        report.fail("files", Exit::Configuration, &problem);
    }
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
    runtime.block_on(async {
        match running::ask(&config).await {
            Some(answer) => running::check(&config, &clock, answer, report).await,
            None => alone::check(&config, &clock, report).await,
        }
    });
    // A look-up that hangs in a thread of the runtime's is not waited for.
    runtime.shutdown_background();
    Ok(())
}

/// Who may not read the files is told so.
fn unreadable(message: String) -> Problem {
    let step = match message.contains("Permission denied") && !rustix::process::geteuid().is_root() {
        true => "run it as root: sudo gatepost check",
        false => "correct the file; each line above names one fault",
    };
    Problem::configuration(message).next(step)
}

fn clock_line(clock: &SharedClock, report: &mut Report) -> bool {
    let (set, now) = (is_set(&**clock), rfc3339(clock.wall()));
    match set {
        true => report.ok("clock", now),
        false => report.fail(
            "clock",
            Exit::Unavailable,
            &Problem::wait(format!("the clock shows {now}, which is before this program was built"))
                .next("set it, or wait for the network's time: timedatectl"),
        ),
    }
    set
}

/// How far the clock is from AWS's, once AWS has said its time.
fn skew_line(clock: &SharedClock, report: &mut Report) {
    match clock.skew() {
        None => report.skip("clock skew", "AWS has not said it"),
        Some(skew) if skew.is_serious() => report.failed("clock skew", &timekeeper::skewed(skew)),
        Some(skew) => report.ok("clock skew", format!("this machine's clock is {skew}")),
    }
}

/// How an end of validity looks, some time before it.
fn expiry(end: &str, left: Option<std::time::Duration>) -> (Outcome, String, Option<&'static str>) {
    const DAY: u64 = 24 * 3600;
    /// Enough for somebody to notice, sign and deliver a new one.
    const EARLY: u64 = 30;
    const STEP: &str = "have the signing request signed again (gatepost csr) and put the certificate in its place";
    match left.map(|left| left.as_secs() / DAY) {
        None => (
            Outcome::Fail(Exit::Configuration),
            format!("the certificate ended at {end}"),
            Some(STEP),
        ),
        Some(days) if days < EARLY => (
            Outcome::Warn,
            format!("the certificate ends at {end}, in {days} days"),
            Some(STEP),
        ),
        Some(days) => (
            Outcome::Ok,
            format!("the certificate ends at {end}, in {days} days"),
            None,
        ),
    }
}
