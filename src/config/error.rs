//! The error of a configuration that cannot be used.

use std::fmt;

/// All faults of a configuration, a line each: file, key, reason.
#[derive(Debug)]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// Creates an error with all findings.
    pub(super) fn new(findings: Vec<String>) -> Self {
        Self(findings)
    }

    /// Creates an error with a single finding.
    pub fn of(message: String) -> Self {
        Self(vec![message])
    }

    /// Returns the lines.
    pub fn findings(&self) -> &[String] {
        &self.0
    }

    /// Returns the first line and the number of further ones, for a place with room for one line.
    pub fn brief(&self) -> String {
        match self.0.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first, more @ ..] => format!("{first} (and {} more)", more.len()),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
