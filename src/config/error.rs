//! The error of a configuration that cannot be used.

use std::fmt;
use std::io;

use crate::foreign_text::{clean, one_line};

/// All faults of a configuration, a line each: file, key, reason.
#[derive(Debug)]
pub struct ConfigError {
    findings: Vec<String>,
    is_denied: bool,
}

/// A file of the configuration that cannot be used.
#[derive(Debug)]
pub(super) struct FileFault {
    /// The file and the reason.
    message: String,
    /// Whether the caller may not read the file.
    is_denied: bool,
}

impl FileFault {
    /// Creates the fault of a file or folder that the system does not let the caller read. `what` completes "PATH: cannot be".
    pub(super) fn unreadable(path: &std::path::Path, what: &str, error: &io::Error) -> Self {
        Self {
            message: format!("{}: cannot be {what}: {}", path.display(), clean(error)),
            is_denied: error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for FileFault {
    fn from(message: String) -> Self {
        Self {
            message,
            is_denied: false,
        }
    }
}

impl ConfigError {
    /// Creates an error with all findings.
    pub(super) fn new(findings: Vec<String>) -> Self {
        Self {
            findings,
            is_denied: false,
        }
    }

    /// Creates an error with the faults of all files.
    pub(super) fn of_files(faults: &[FileFault]) -> Self {
        Self {
            is_denied: !faults.is_empty() && faults.iter().all(|fault| fault.is_denied),
            // The names of the files are untrusted text as well.
            findings: faults.iter().map(|fault| one_line(&fault.message)).collect(),
        }
    }

    /// Creates an error with a single finding.
    pub fn of(message: String) -> Self {
        Self::new(vec![message])
    }

    /// Returns the lines.
    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    /// Returns whether the caller may read none of the files, so that nothing is known about the configuration itself.
    pub fn is_denied(&self) -> bool {
        self.is_denied
    }

    /// Returns the first line and the number of further ones, for a place with room for one line.
    pub fn brief(&self) -> String {
        match self.findings.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first, more @ ..] => format!("{first} (and {} more)", more.len()),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.findings.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_configuration_is_denied_if_the_caller_may_read_none_of_its_files() {
        let file = |kind: io::ErrorKind| FileFault::unreadable(Path::new("/c"), "read", &kind.into());
        let denied = || file(io::ErrorKind::PermissionDenied);
        for (faults, is_denied) in [
            (vec![], false),
            (vec![denied()], true),
            (vec![denied(), denied()], true),
            (vec![denied(), file(io::ErrorKind::NotFound)], false),
            (vec![FileFault::from("/c: permission denied".to_owned())], false),
        ] {
            assert_eq!(ConfigError::of_files(&faults).is_denied(), is_denied, "{faults:?}");
        }
        assert!(!ConfigError::of("/c: Permission denied".to_owned()).is_denied());
    }
}
