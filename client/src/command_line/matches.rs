//! The result of parsing a command line.

use std::ffi::{OsStr, OsString};

use crate::exit::{Exit, Failure};

/// The verb, operands and options that were given to a command.
pub(crate) struct Matches {
    /// The command's name.
    pub(super) command: &'static str,
    pub(crate) verb: Option<&'static str>,
    pub(super) operands: Vec<OsString>,
    pub(super) options: Vec<(&'static str, OsString)>,
}

impl Matches {
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.options.iter().any(|(given, _)| *given == name)
    }

    /// Returns the value of an option. The parser has refused a second one.
    pub(crate) fn value(&self, name: &str) -> Option<&OsStr> {
        self.values(name).next()
    }

    /// Returns all values of an option, in order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &OsStr> {
        self.options
            .iter()
            .filter(move |(given, _)| *given == name)
            .map(|(_, value)| value.as_os_str())
    }

    pub(crate) fn operand(&self, index: usize) -> Option<&OsStr> {
        self.operands.get(index).map(OsString::as_os_str)
    }

    /// Returns the words from an operand on.
    pub(crate) fn operands_from(&self, index: usize) -> &[OsString] {
        self.operands.get(index..).unwrap_or_default()
    }

    /// Returns an operand that the form requires; the parser has made sure that it exists.
    pub(crate) fn required(&self, index: usize) -> &OsStr {
        self.operand(index).unwrap_or_default()
    }

    /// Reports a mistake that only the command itself can detect, such as an option that requires another one.
    pub(crate) fn usage_error(&self, message: &str) -> Failure {
        usage(Some(self.command), message)
    }
}

/// Reports a mistake in the command line, and says which help describes the right use.
pub(super) fn usage(command: Option<&str>, message: impl AsRef<str>) -> Failure {
    let topic = command.map(|command| format!("{command} ")).unwrap_or_default();
    Failure::new(Exit::Usage, format!("{}; see gatepost {topic}--help", message.as_ref()))
}
