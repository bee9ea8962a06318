//! Choice of the configuration to start with: the one in the files, or the last good one.

use std::path::Path;
use std::sync::Arc;

use log::Level;
use rustls::RootCertStore;

use crate::check_config;
use crate::config::last_good::{self, LastGood};
use crate::config::{Changes, Config, Folders};
use crate::event::{Event, journal};
use crate::identity::{Files, roots};
use crate::instance_lock;
use crate::problem::{Exit, Fatal, Problem};

/// A configuration, and what is prepared from it before anything else.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) files: Files,
    /// Why the last good configuration is used, if it is.
    pub(super) fallback: Option<Fallback>,
}

/// A start with the last good configuration.
#[derive(Clone, Debug)]
pub(super) struct Fallback {
    /// When it was saved, RFC 3339.
    pub(super) saved: String,
    /// The fault in the files, or in something that they refer to.
    pub(super) fault: String,
    /// The parts of the last good configuration that this version does not accept.
    left_out: Vec<String>,
}

/// Chooses the configuration, and reads the files that it names.
///
/// # Errors
/// With the fault in the files, if neither they nor the last good configuration can be used.
pub(super) fn begin(path: &Path) -> Result<Start, Fatal> {
    let folders = Folders::from_environment();
    let (fatal, from_files) = match check_config::load(path) {
        Ok(config) => match check_not_rejected(&config).and_then(|()| prepare(config.clone())) {
            Ok(start) => return Ok(start),
            Err(fatal) => (fatal, Some(config)),
        },
        Err(fatal) => (fatal, None),
    };
    if fatal.exit != Exit::Configuration {
        return Err(fatal);
    }
    let good = match last_good::load(path, &folders) {
        Ok(Some(good)) => good,
        Ok(None) => return Err(fatal),
        Err(why) => return Err(with_fallback_fault(fatal, &why)),
    };
    // The same configuration would fail in the same way.
    if from_files.is_some_and(|config| Changes::between(&config, &good.config).is_empty()) {
        return Err(fatal);
    }
    fall_back(good, fatal)
}

fn fall_back(good: LastGood, fatal: Fatal) -> Result<Start, Fatal> {
    let LastGood {
        config,
        saved,
        left_out,
    } = good;
    let start = match prepare(config) {
        Ok(start) => start,
        Err(other) => return Err(with_fallback_fault(fatal, &other.problem.message)),
    };
    for rule in last_good::find_revived_rules(&start.config) {
        journal!(
            Level::Warn, Event::ConfigurationLastGood;
            "configuration: an access rule that was removed from the files is in use again: {rule}"
        );
    }
    Ok(Start {
        fallback: Some(Fallback {
            saved,
            fault: fatal.problem.message,
            left_out,
        }),
        ..start
    })
}

/// Refuses a configuration with which the previous run could not open the token, as long as it is unchanged.
fn check_not_rejected(config: &Config) -> Result<(), Fatal> {
    match last_good::load_refusal(config) {
        Some(why) if last_good::path(&config.folders).exists() => {
            Err(Fatal::new(Exit::Configuration, Problem::configuration(why)))
        }
        _ => Ok(()),
    }
}

/// Marks `config` as rejected if the token cannot be opened with it and the next start can use the last good configuration
/// instead; returns whether that is so.
pub(super) fn reject(path: &Path, config: &Config, fatal: &Fatal) -> bool {
    let Ok(Some(good)) = last_good::load(path, &config.folders) else {
        return false;
    };
    let differs = !Changes::between(config, &good.config).at_restart.is_empty();
    differs && last_good::save_refusal(config, &fatal.problem.message).is_ok()
}

fn prepare(config: Config) -> Result<Start, Fatal> {
    let roots =
        roots::load(config.aws.root_ca.as_deref()).map_err(|problem| Fatal::new(Exit::Configuration, problem))?;
    instance_lock::create_folders(&config.folders)?;
    let files = Files::watch(&config.identity)?;
    Ok(Start {
        config,
        roots,
        files,
        fallback: None,
    })
}

/// Adds to `fatal` why the last good configuration cannot be used either.
fn with_fallback_fault(fatal: Fatal, why: &str) -> Fatal {
    let problem = Problem {
        message: format!(
            "{}\nthe last good configuration cannot be used instead: {why}",
            fatal.problem.message
        ),
        ..fatal.problem
    };
    Fatal { problem, ..fatal }
}

impl Fallback {
    /// Returns the problem to report, with the next step. `fault` is the current fault in the files.
    pub(super) fn problem(&self, fault: &str) -> Problem {
        let left_out = match self.left_out.as_slice() {
            [] => String::new(),
            all => format!(", without what this version does not accept ({})", all.join("; ")),
        };
        let message = format!(
            "the configuration files are wrong, so the last good configuration, saved at {}, is in use since the start{left_out}: {}",
            self.saved,
            first_line(fault)
        );
        Problem::configuration(message)
            .next("correct the files; they are then loaded by themselves, and `gatepostd --check-config` says what is still wrong")
    }
}

/// Returns the first line, and the number of further lines.
fn first_line(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    match lines.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_problem_contains_the_fault_and_when_the_configuration_was_saved() {
        let mut fallback = Fallback {
            saved: "2026-11-30T10:00:00Z".to_owned(),
            fault: String::new(),
            left_out: Vec::new(),
        };
        let said = fallback.problem("a.toml:1:1: no TOML\nb.toml:1:1: no TOML").to_string();
        for words in [
            "saved at 2026-11-30T10:00:00Z, is in use since the start: a.toml:1:1: no TOML (and 1 more)",
            "next: correct the files",
        ] {
            assert!(said.contains(words), "{said}");
        }
        fallback.left_out.push("mqtt.old: unknown field".to_owned());
        let said = fallback.problem("a.toml:1:1: no TOML").to_string();
        assert!(
            said.contains("without what this version does not accept (mqtt.old: unknown field)"),
            "{said}"
        );
    }
}
