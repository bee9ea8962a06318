//! Collects what is wrong with the configuration, so that all of it is told at once.

use super::load::Sources;
use crate::foreign_text;

/// The faults and notes that were found so far.
pub(super) struct Findings<'a> {
    sources: &'a Sources,
    /// Whether the configuration is only looked at, perhaps in the image of a machine that has never run.
    is_only_examined: bool,
    faults: Vec<Fault>,
    notes: Vec<String>,
}

/// A key whose value cannot be used.
#[derive(Debug)]
pub(super) struct Fault {
    /// The key: `access[2].publish`.
    pub(super) key: String,
    /// File, key and reason.
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

    /// The faults, and the notes about what should be looked at.
    pub(super) fn into_parts(self) -> (Vec<Fault>, Vec<String>) {
        (self.faults, self.notes)
    }

    /// The file that a key stands in, as a message names it.
    pub(super) fn file_of(&self, key: &str) -> String {
        self.sources.file_of(key).display().to_string()
    }

    /// A value that cannot be used.
    pub(super) fn wrong(&mut self, key: &str, reason: impl std::fmt::Display) {
        let message = self.message(key, reason);
        self.faults.push(Fault {
            key: key.to_owned(),
            message,
        });
    }

    /// A value that can be used, and is seldom meant.
    pub(super) fn note(&mut self, key: &str, reason: impl std::fmt::Display) {
        self.notes.push(self.message(key, reason));
    }

    pub(super) fn keep<T>(&mut self, key: &str, outcome: Result<T, String>) -> Option<T> {
        outcome.map_err(|reason| self.wrong(key, reason)).ok()
    }

    pub(super) fn required<T>(
        &mut self,
        key: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match value {
            Some(text) => self.keep(key, parse(&text)),
            None => {
                self.wrong(key, "is not set, and has no default");
                None
            }
        }
    }

    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        value.and_then(|text| self.keep(key, parse(&text)))
    }

    fn message(&self, key: &str, reason: impl std::fmt::Display) -> String {
        foreign_text::one_line(&format!("{}: {key}: {reason}", self.file_of(key)))
    }
}
