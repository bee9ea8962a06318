//! `gatepostd --check-config`: what the configuration says, or everything that is wrong with it.

use std::path::Path;

use crate::arguments::print;
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError, Folders};
use crate::foreign_text::one_line;
use crate::identity;
use crate::local::AccessRules;
use crate::problem::{Exit, Fatal, Problem};
use crate::service::{closed_files, take_environment, unusable_token_files};
use crate::subordinate;

/// The next step of a user who may not read the files.
pub const AS_ROOT: &str = "run it as root: begin the same command with sudo";
/// Where the package keeps the sample that it once copied to /etc.
const SAMPLE: &str = "/usr/share/gatepost/gatepost.toml";

/// Checks the configuration and everything it points at that can be looked at without touching the token; says what the
/// daemon would say, and, to root, what the service's user may not read.
///
/// # Errors
/// With all findings.
pub fn run(path: &Path) -> Result<(), Fatal> {
    let config = examine(path)?;
    let forgotten = crate::token::missing_setup(&config.token);
    if forgotten.is_some() {
        // What the unit has been told of the store a shell does not know. This begins anew with it where there is any.
        let _ = take_environment();
    }
    let files = identity::examine(&config, &SystemClock::default());
    let mut findings: Vec<String> = files.faults.iter().map(Problem::to_string).collect();
    findings.extend(crate::token::check(&config.token).iter().map(Problem::to_string));
    findings.extend(closed_files(path, &config).iter().map(Problem::to_string));
    findings.extend(unusable_token_files(&config).iter().map(Problem::to_string));
    let warnings = config
        .notes
        .iter()
        .cloned()
        .chain(files.warnings.iter().chain(&forgotten).map(Problem::to_string))
        .chain(
            AccessRules::rules_for_nobody(&config.access)
                .into_iter()
                .map(|problem| problem.to_string()),
        );
    let mut count = 0;
    for warning in warnings {
        count += 1;
        eprintln!("gatepostd: warning: {}", one_line(&warning));
    }
    if !findings.is_empty() {
        return Err(match lack_permission(&findings) {
            true => Fatal::new(
                Exit::NO_PERMISSION,
                Problem::configuration(findings.join("\n")).next(AS_ROOT),
            ),
            false => Fatal::new(Exit::Configuration, Problem::configuration(findings.join("\n"))),
        });
    }
    for problem in subordinate::problems(&config) {
        print(&format!("warning: {problem}\n"))?;
    }
    let aliases: Vec<&str> = config.role_aliases.iter().map(|alias| alias.name.as_str()).collect();
    let thing_name = config.identity.thing_name.as_ref();
    print(&format!(
        "{}: {}\n  thing name   {}\n  MQTT         {}\n  credentials  {}\n  key          {}\n  role aliases {}\n",
        path.display(),
        match count {
            0 => "good".to_owned(),
            1 => "can be used, with 1 warning".to_owned(),
            count => format!("can be used, with {count} warnings"),
        },
        thing_name.unwrap_or(&config.identity.subject.common_name),
        config.aws.mqtt_endpoint,
        config.aws.credentials_endpoint,
        config.token.key,
        if aliases.is_empty() {
            "none".to_owned()
        } else {
            aliases.join(", ")
        },
    ))
}

/// Loads the configuration for the daemon.
///
/// # Errors
/// With all findings, a line each.
pub fn load(path: &Path) -> Result<Config, Fatal> {
    config::load(path, &Folders::from_environment()).map_err(|error| fatal(path, &error))
}

/// Loads the configuration for a command that a user has started: files that this user may not read are no fault of theirs.
///
/// # Errors
/// With all findings, a line each.
pub fn load_for_user(path: &Path) -> Result<Config, Fatal> {
    config::load(path, &Folders::from_environment()).map_err(|error| fatal_for_user(path, &error))
}

/// Whether every one of these findings says that this user may not read something: it is not known then whether anything is wrong.
pub fn lack_permission(findings: &[String]) -> bool {
    let denied = |finding: &String| finding.to_ascii_lowercase().contains("permission denied");
    !rustix::process::geteuid().is_root() && !findings.is_empty() && findings.iter().all(denied)
}

/// The same on a machine that may never have run: what only a running one knows is a note.
///
/// # Errors
/// With all findings, a line each.
pub fn examine(path: &Path) -> Result<Config, Fatal> {
    config::examine(path, &Folders::from_environment()).map_err(|error| fatal_for_user(path, &error))
}

fn fatal_for_user(path: &Path, error: &ConfigError) -> Fatal {
    match lack_permission(error.findings()) {
        true => Fatal::new(
            Exit::NO_PERMISSION,
            Problem::configuration(error.to_string()).next(AS_ROOT),
        ),
        false => fatal(path, error),
    }
}

fn fatal(path: &Path, error: &ConfigError) -> Fatal {
    let step = match path.try_exists() {
        Ok(false) => missing_step(path),
        _ => "correct it; `gatepostd --check-config` says what is still wrong".to_owned(),
    };
    Fatal::new(
        Exit::Configuration,
        Problem::configuration(error.to_string()).next(step),
    )
}

/// What to do where there is no configuration at all.
fn missing_step(path: &Path) -> String {
    let sample = Path::new(SAMPLE);
    match sample.exists() {
        true => format!("begin with the sample: cp {SAMPLE} {}", path.display()),
        false => "write it (gatepost.toml(5), docs/configuration.md), or name another file by --config".to_owned(),
    }
}
