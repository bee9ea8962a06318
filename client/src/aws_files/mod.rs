//! The AWS configuration and credentials files, where programs find credentials before they ask gatepost.
//!
//! Only the names of settings, their lines and the request to gatepost itself leave this module: values are secrets.

mod process;
mod sections;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use process::Call;
pub use sections::Kind;
use sections::{Setting, settings};

/// Settings that contain credentials, or name another source of them.
pub const CREDENTIAL_SETTINGS: [&str; 12] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "credential_process",
    "credential_source",
    "login_session",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// Maximum size of a file. Files written by people are much smaller.
const LARGEST_FILE: u64 = 1024 * 1024;
/// O_NONBLOCK of open(2), so that a named pipe without a writer does not block.
const O_NONBLOCK: i32 = 0o4000;

/// The two files of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsFiles {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The credentials file.
    pub credentials: Option<PathBuf>,
}

/// A setting by which a profile gets credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// The line number.
    pub line: usize,
    /// The profile.
    pub profile: String,
    /// The setting's name, one of [`CREDENTIAL_SETTINGS`].
    pub setting: &'static str,
    /// The call of gatepost, if the setting is a credential_process that runs it.
    pub gatepost: Option<Call>,
}

/// The sources that were found, and the files that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Ordered by file, the credentials file first as programs prefer it, and by line.
    pub sources: Vec<Source>,
    /// Sentences about files that could not be read.
    pub unread: Vec<String>,
}

impl AwsFiles {
    /// Locates the files as AWS's tools do: by environment variables, or in the home folder (AWS SDKs and Tools Reference Guide, "Location
    /// of the shared config and credentials files").
    pub fn of_environment(home: Option<PathBuf>) -> Self {
        let place = |variable: &str, name: &str| {
            let named = filled(std::env::var_os(variable)).map(PathBuf::from);
            named.or_else(|| Some(home.as_deref()?.join(".aws").join(name)))
        };
        Self {
            config: place("AWS_CONFIG_FILE", "config"),
            credentials: place("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        }
    }

    /// Finds every setting from which a profile gets credentials.
    pub fn sources(&self) -> Found {
        let mut found = Found::default();
        let files = [(&self.credentials, Kind::Credentials), (&self.config, Kind::Config)];
        for (path, kind) in files {
            let Some(path) = path else { continue };
            match read(path) {
                Ok(text) => found.sources.extend(sources_in(path, &text, kind)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => found
                    .unread
                    .push(format!("{} cannot be read: {}", path.display(), said(&error))),
            }
        }
        found
    }
}

impl Source {
    /// Whether it is a credential_process that runs gatepost.
    pub fn is_gatepost(&self) -> bool {
        self.gatepost.is_some()
    }
}

impl Found {
    /// Returns the settings from which programs that use `profile` get credentials.
    pub fn of<'a>(&'a self, profile: &'a str) -> impl Iterator<Item = &'a Source> {
        self.sources.iter().filter(move |source| source.profile == profile)
    }
}

/// Returns the profile that programs use if none is named.
pub fn profile_of_environment() -> String {
    let named = filled(std::env::var_os("AWS_PROFILE")).or_else(|| filled(std::env::var_os("AWS_DEFAULT_PROFILE")));
    named.map_or_else(|| "default".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Returns the home folder from the environment.
pub fn home() -> Option<PathBuf> {
    filled(std::env::var_os("HOME")).map(PathBuf::from)
}

fn filled(value: Option<OsString>) -> Option<OsString> {
    value.filter(|value| !value.is_empty())
}

fn sources_in(path: &Path, text: &str, kind: Kind) -> Vec<Source> {
    let known = |setting: Setting| {
        let name = CREDENTIAL_SETTINGS.into_iter().find(|known| *known == setting.name)?;
        Some(Source {
            file: path.to_owned(),
            line: setting.line,
            profile: setting.profile,
            setting: name,
            gatepost: Some(setting.value)
                .filter(|_| name == "credential_process")
                .and_then(Call::read),
        })
    };
    settings(text, kind).filter_map(known).collect()
}

/// Reads a file as text. Bytes that are not UTF-8 are replaced: names of settings are ASCII.
fn read(path: &Path) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the cause without the system's error number.
fn said(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is no folder".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether two paths lead to the same file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

#[cfg(test)]
mod tests;
