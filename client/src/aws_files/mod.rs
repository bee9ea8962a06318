//! The AWS configuration and credentials files, where programs find credentials before they ask gatepost.
//!
//! Only the names of settings, their lines and the request to gatepost itself leave this module: values are secrets.

mod environment;
mod file;
mod hints;
mod process;
mod profiles;
mod resolution;
mod sections;
mod sources;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

pub use environment::{Environment, NamedProfile, ONE_PROFILE};
pub use file::{FileContents, ReadFile};
pub use hints::{Hint, find_hints};
pub use process::Call;
pub use profiles::{Place, Profiles};
pub use resolution::{Failure, Outcome, Program, has_region, resolve};
pub use sections::{Fault, Kind};
pub use sources::{CREDENTIAL_SETTINGS, Found, Source};

/// The two files of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsFiles {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The credentials file.
    pub credentials: Option<PathBuf>,
}

impl AwsFiles {
    /// Locates the files as AWS's tools do: by environment variables, or in the home folder (AWS SDKs and Tools Reference Guide, "Location
    /// of the shared config and credentials files").
    pub fn of_environment(home: Option<PathBuf>) -> Self {
        let place = |variable: &str, name: &str| {
            let named = non_empty(std::env::var_os(variable)).map(PathBuf::from);
            named.or_else(|| Some(home.as_deref()?.join(".aws").join(name)))
        };
        Self {
            config: place("AWS_CONFIG_FILE", "config"),
            credentials: place("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        }
    }

    /// Returns the files of a program with these variables, whose home folder is `home` unless they name another.
    pub fn of_program(environment: &Environment, home: Option<&Path>) -> Self {
        let own_home = environment.non_empty("HOME").map(PathBuf::from);
        let home = own_home.as_deref().or(home);
        let place = |variable: &str, name: &str| {
            let named = environment.path(variable, home);
            named.or_else(|| Some(home?.join(".aws").join(name)))
        };
        Self {
            config: place("AWS_CONFIG_FILE", "config"),
            credentials: place("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        }
    }

    /// Reads both files, as the user whom this thread has.
    pub fn read(&self) -> FileContents {
        let read = |path: &Option<PathBuf>| path.as_deref().map_or(ReadFile::Absent, ReadFile::read);
        FileContents {
            config: read(&self.config),
            credentials: read(&self.credentials),
        }
    }

    /// Finds every setting from which a profile gets credentials.
    pub fn sources(&self) -> Found {
        Found::in_files(&self.read())
    }
}

/// Returns the home folder from the environment.
pub fn home() -> Option<PathBuf> {
    non_empty(std::env::var_os("HOME")).map(PathBuf::from)
}

fn non_empty(value: Option<OsString>) -> Option<OsString> {
    value.filter(|value| !value.is_empty())
}

/// Returns whether two paths lead to the same file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

#[cfg(test)]
mod tests;
