//! The given options, checked against the table of gatepostd's command line.

use std::ffi::{OsStr, OsString};
use std::str::FromStr;

use gatepost_client::command_line::{CommandOption, GATEPOSTD, GATEPOSTD_MODES, Words};

/// Options of every mode and of the daemon.
const COMMON: [&str; 3] = ["--config", "--help", "--version"];

/// The options of a command line.
#[derive(Debug)]
pub(super) struct Given(Vec<(&'static str, OsString)>);

impl Given {
    /// Parses the words that follow the name of the program.
    pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let known = || {
            let mode_options = GATEPOSTD_MODES.iter().flat_map(|mode| mode.options);
            GATEPOSTD.options.iter().chain(mode_options)
        };
        let Words { options, words, .. } = Words::split(words, known)?;
        match words.first() {
            Some(word) => Err(format!("unexpected argument {word:?}")),
            None => Ok(Self(options)),
        }
    }

    /// Returns the option that selects what gatepostd does; `None` if it runs as a daemon.
    pub(super) fn mode(&self) -> Result<Option<&'static str>, String> {
        let mut modes = GATEPOSTD_MODES.iter().filter(|mode| self.has(mode.option.name));
        let mode = modes.next();
        if let (Some(mode), Some(other)) = (mode, modes.next()) {
            return Err(format!(
                "{} and {} cannot be combined",
                mode.option.name, other.option.name
            ));
        }
        let takes = |options: &[CommandOption], name: &str| options.iter().any(|option| option.name == name);
        for (name, _) in &self.0 {
            let is_taken = mode.is_some_and(|mode| mode.option.name == *name || takes(mode.options, name));
            if is_taken || COMMON.contains(name) {
                continue;
            }
            let owners: Vec<&str> = GATEPOSTD_MODES
                .iter()
                .filter(|mode| takes(mode.options, name))
                .map(|mode| mode.option.name)
                .collect();
            return Err(format!("{name} belongs to {}", owners.join(", ")));
        }
        Ok(mode.map(|mode| mode.option.name))
    }

    /// Returns whether an option is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Returns the value of an option; the first one if it is repeated.
    pub(super) fn value(&self, name: &str) -> Option<&OsStr> {
        let mut values = self.0.iter().filter(|(given, _)| *given == name);
        values.next().map(|(_, value)| value.as_os_str())
    }

    /// Returns the value of an option as text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.texts(name).map(|texts| texts.into_iter().next())
    }

    /// Returns all values of an option as text.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let values = self.0.iter().filter(|(given, _)| *given == name);
        values
            .map(|(_, value)| {
                let text = value.to_str().map(str::to_owned);
                text.ok_or_else(|| format!("{name}: {value:?} is not UTF-8"))
            })
            .collect()
    }

    /// Returns the value of an option as a number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text
            .parse()
            .map_err(|_| format!("{name}: {text:?} is not a number that can be used"))?;
        Ok(Some(number))
    }
}
