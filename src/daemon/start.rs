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
use crate::local;
use crate::problem::{Exit, Fatal, Problem};

/// A configuration, and what is made of it before anything else.
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
    pub(super) why: String,
    /// The parts of the last good configuration that this version does not accept.
    left_out: Vec<String>,
}

/// Chooses the configuration and reads what it points at.
///
/// # Errors
/// When neither the files nor what was last good can be used: with what is wrong with the files.
pub(super) fn begin(path: &Path) -> Result<Start, Fatal> {
    let folders = Folders::from_environment();
    let (fatal, from_files) = match check_config::load(path) {
        Ok(config) => match tried(&config).and_then(|()| with_parts(config.clone())) {
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
        Err(why) => return Err(also(fatal, &why)),
    };
    // What points at the same files would fail in the same way.
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
    let start = match with_parts(config) {
        Ok(start) => start,
        Err(other) => return Err(also(fatal, &other.problem.message)),
    };
    for rule in last_good::find_revived_rules(&start.config) {
        journal!(
            Level::Warn, Event::ConfigurationLastGood;
            "configuration: an access rule that the files do not have any more is in use again: {rule}"
        );
    }
    Ok(Start {
        fallback: Some(Fallback {
            saved,
            why: fatal.problem.message,
            left_out,
        }),
        ..start
    })
}

/// Refuses a configuration by which the run before could not open the token, as long as it is the same.
fn tried(config: &Config) -> Result<(), Fatal> {
    match last_good::load_refusal(config) {
        Some(why) if last_good::path(&config.folders).exists() => {
            Err(Fatal::new(Exit::Configuration, Problem::configuration(why)))
        }
        _ => Ok(()),
    }
}

/// Whether the next start has another configuration to go on with, where the token cannot be opened by `config`; notes for it
/// that it should.
pub(super) fn give_way(path: &Path, config: &Config, fatal: &Fatal) -> bool {
    let Ok(Some(good)) = last_good::load(path, &config.folders) else {
        return false;
    };
    let differs = !Changes::between(config, &good.config).at_restart.is_empty();
    differs && last_good::save_refusal(config, &fatal.problem.message).is_ok()
}

fn with_parts(config: Config) -> Result<Start, Fatal> {
    let roots = roots::load(config.aws.root_ca.as_deref()).map_err(|why| Fatal::new(Exit::Configuration, why))?;
    local::make_folders(&config.folders)?;
    let files = Files::watch(&config.identity)?;
    Ok(Start {
        config,
        roots,
        files,
        fallback: None,
    })
}

/// The same, and why the last good configuration does not help either.
fn also(fatal: Fatal, why: &str) -> Fatal {
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
    /// Returns the problem to report, with the next step. `why` is the current fault in the files.
    pub(super) fn problem(&self, why: &str) -> Problem {
        let left_out = match self.left_out.as_slice() {
            [] => String::new(),
            all => format!(", without what this version does not take ({})", all.join("; ")),
        };
        let message = format!(
            "the configuration files are wrong, so the last good configuration, saved at {}, is in use since the start{left_out}: {}",
            self.saved,
            brief(why)
        );
        Problem::configuration(message)
            .next("correct the files; they are then loaded by themselves, and `gatepostd --check-config` says what is still wrong")
    }
}

/// One line, and how many there are besides.
fn brief(text: &str) -> String {
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
    fn the_words_say_what_is_wrong_and_of_when_the_configuration_is() {
        let mut fallback = Fallback {
            saved: "2026-11-30T10:00:00Z".to_owned(),
            why: String::new(),
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
            said.contains("without what this version does not take (mqtt.old: unknown field)"),
            "{said}"
        );
    }
}
