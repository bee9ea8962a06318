//! Collects the faults of a configuration, so that all of them are reported at once.

use super::merged::Sources;
use crate::foreign_text;

/// The faults and notes found so far.
pub(super) struct Findings<'a> {
    sources: &'a Sources,
    /// Whether the configuration is examined without being used, perhaps in the image of a machine that has never run.
    is_only_examined: bool,
    faults: Vec<Fault>,
    notes: Vec<String>,
}

/// A fault: a value that cannot be used.
#[derive(Debug)]
pub(super) struct Fault {
    /// The key, such as `access[2].publish`.
    pub(super) key: String,
    /// The file, the key and the reason.
    pub(super) message: String,
}

impl<'a> Findings<'a> {
    pub(super) fn new(sources: &'a Sources, is_only_examined: bool) -> Self {
        Self {
            sources,
            is_only_examined,
            faults: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn is_only_examined(&self) -> bool {
        self.is_only_examined
    }

    /// Returns the faults and the notes.
    pub(super) fn into_parts(self) -> (Vec<Fault>, Vec<String>) {
        (self.faults, self.notes)
    }

    /// Returns the path of the file that sets `key`, for messages.
    pub(super) fn file_of(&self, key: &str) -> String {
        self.sources.file_of(key).display().to_string()
    }

    /// Adds a fault: the value of `key` cannot be used.
    pub(super) fn add_fault(&mut self, key: &str, reason: impl std::fmt::Display) {
        let message = self.message(key, reason);
        self.faults.push(Fault {
            key: key.to_owned(),
            message,
        });
    }

    /// Adds a note: the value of `key` can be used, but is probably a mistake.
    pub(super) fn add_note(&mut self, key: &str, reason: impl std::fmt::Display) {
        self.notes.push(self.message(key, reason));
    }

    /// Returns the value, or adds the error as a fault of `key`.
    pub(super) fn check<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.add_fault(key, reason)).ok()
    }

    /// Parses a value that must be set, and adds a fault if it is missing or wrong.
    pub(super) fn parse_required<T>(
        &mut self,
        key: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match value {
            Some(text) => self.check(key, parse(&text)),
            None => {
                self.add_fault(key, "is not set, and has no default");
                None
            }
        }
    }

    /// Parses a value that may be missing, and adds a fault if it is wrong.
    pub(super) fn parse_optional<T>(
        &mut self,
        key: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        value.and_then(|text| self.check(key, parse(&text)))
    }

    fn message(&self, key: &str, reason: impl std::fmt::Display) -> String {
        foreign_text::one_line(&format!("{}: {key}: {reason}", self.file_of(key)))
    }
}
