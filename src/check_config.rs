//! `gatepostd --check-config`: prints a summary of the configuration, or all of its faults.

use std::path::Path;

use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError, Folders};
use crate::foreign_text::one_line;
use crate::identity;
use crate::local::{AccessRules, find_files_for_nobody};
use crate::problem::{Exit, Fatal, Problem};
use crate::service::{closed_files, take_environment, unusable_credentials_files, unusable_token_files};
use crate::stdout::print;
use crate::subordinate;

/// The next step for a user who lacks permission to read the files.
pub const AS_ROOT: &str = "run it as root: repeat the command with sudo";
/// The sample configuration of the package.
const SAMPLE: &str = "/usr/share/gatepost/gatepost.toml";

/// Checks the configuration and all files that it names, without using the token. Reports what the daemon would report, and, if run
/// by root, the files that the user of the service may not read.
///
/// # Errors
/// With all faults.
pub fn run(path: &Path) -> Result<(), Fatal> {
    let config = examine(path)?;
    let missing_setup = crate::token::missing_setup(&config.token);
    if missing_setup.is_some() {
        // The unit may set a variable for the module's store that the shell lacks. This restarts the process with such variables.
        let _ = take_environment();
    }
    let files = identity::examine(&config, &SystemClock::default());
    let mut faults = files.faults;
    faults.extend(crate::token::check(&config.token));
    faults.extend(closed_files(path, &config));
    faults.extend(unusable_token_files(&config));
    faults.extend(unusable_credentials_files(&config));
    let warnings = config
        .notes
        .iter()
        .cloned()
        .chain(files.warnings.iter().chain(&missing_setup).map(Problem::to_string))
        .chain(without_account(&config).into_iter().map(|problem| problem.to_string()));
    let mut count = 0;
    for warning in warnings {
        count += 1;
        eprintln!("gatepostd: warning: {}", one_line(&warning));
    }
    if !faults.is_empty() {
        let findings: Vec<String> = faults.iter().map(Problem::to_string).collect();
        let problem = Problem::configuration(findings.join("\n"));
        return Err(match should_be_root(faults.iter().all(|fault| fault.is_denied)) {
            true => Fatal::new(Exit::NO_PERMISSION, problem.next(AS_ROOT)),
            false => Fatal::new(Exit::Configuration, problem),
        });
    }
    for problem in subordinate::problems(&config) {
        print(&format!("warning: {problem}\n"))?;
    }
    let aliases: Vec<&str> = config.role_aliases.iter().map(|alias| alias.name.as_str()).collect();
    print(&format!(
        "{}: {}\n  thing name   {}\n  MQTT         {}\n  credentials  {}\n  key          {}\n  role aliases {}\n",
        path.display(),
        match count {
            0 => "good".to_owned(),
            1 => "can be used, with 1 warning".to_owned(),
            count => format!("can be used, with {count} warnings"),
        },
        thing_name(&config),
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

/// Finds what names an account that does not exist. These are warnings, because the daemon starts without the account, and a fault here
/// would refuse a reload and an upgrade.
fn without_account(config: &Config) -> Vec<Problem> {
    let mut problems = AccessRules::rules_for_nobody(&config.access);
    problems.extend(find_files_for_nobody(&config.credentials_files));
    problems
}

/// Describes the thing name, which AWS has yet to assign before the first enrolment by a claim certificate.
fn thing_name(config: &Config) -> String {
    match (config.identity.own_thing_name(), config.enrolment.claim()) {
        (Some(name), _) => name,
        (None, Some(claim)) => format!("(from the provisioning template {})", claim.template),
        (None, None) => config.identity.subject.common_name.clone(),
    }
}

/// Loads the configuration for the daemon.
///
/// # Errors
/// With all faults, one per line.
pub fn load(path: &Path) -> Result<Config, Fatal> {
    config::load(path, &Folders::from_environment()).map_err(|error| fatal(path, &error))
}

/// Loads the configuration for a command that a user has started. Files that this user may not read are not reported as faulty.
///
/// # Errors
/// With all faults, one per line.
pub fn load_for_user(path: &Path) -> Result<Config, Fatal> {
    config::load(path, &Folders::from_environment()).map_err(|error| fatal_for_user(path, &error))
}

/// Returns whether the caller should repeat the command as root: it is another user, who was denied every file that has a finding.
pub fn should_be_root(is_denied: bool) -> bool {
    is_denied && !rustix::process::geteuid().is_root()
}

/// Loads the configuration on a machine where the daemon may never have run. What depends on a running machine, such as account
/// names, is noted instead of reported as a fault.
///
/// # Errors
/// With all faults, one per line.
pub fn examine(path: &Path) -> Result<Config, Fatal> {
    config::examine(path, &Folders::from_environment()).map_err(|error| fatal_for_user(path, &error))
}

fn fatal_for_user(path: &Path, error: &ConfigError) -> Fatal {
    match should_be_root(error.is_denied()) {
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

/// Returns the next step if there is no configuration.
fn missing_step(path: &Path) -> String {
    let sample = Path::new(SAMPLE);
    match sample.exists() {
        true => format!("start from the sample: cp {SAMPLE} {}", path.display()),
        false => "write it (gatepost.toml(5), docs/configuration.md), or name another file by --config".to_owned(),
    }
}
