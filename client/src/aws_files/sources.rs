//! The settings from which a profile gets credentials, as any SDK finds them: not all are as strict as botocore.

use std::path::{Path, PathBuf};

use super::file::{FileContents, ReadFile};
use super::process::Call;
use super::sections::{Kind, Sections};

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

impl Source {
    /// Returns whether it is a credential_process that runs gatepost.
    pub fn is_gatepost(&self) -> bool {
        self.gatepost.is_some()
    }
}

impl Found {
    /// Finds every setting by which a profile gets credentials.
    pub fn in_files(files: &FileContents) -> Self {
        let mut found = Self::default();
        for (file, kind) in files.files() {
            match file {
                ReadFile::Text { path, bytes, .. } => found.sources.extend(sources_in(path, bytes, kind)),
                ReadFile::Unreadable { path, why } => {
                    found.unread.push(format!("{} cannot be read: {why}", path.display()));
                }
                ReadFile::Absent => {}
            }
        }
        found
    }

    /// Returns the settings from which programs that use `profile` get credentials.
    pub fn of<'a>(&'a self, profile: &'a str) -> impl Iterator<Item = &'a Source> {
        self.sources.iter().filter(move |source| source.profile == profile)
    }
}

pub(super) fn sources_in(path: &Path, bytes: &[u8], kind: Kind) -> Vec<Source> {
    let mut sources = Vec::new();
    for section in Sections::parse(bytes).sections {
        let Some(profile) = profile_for_any_sdk(&section.header, kind) else {
            continue;
        };
        for setting in section.settings {
            let known = CREDENTIAL_SETTINGS.into_iter().find(|known| *known == setting.name);
            sources.extend(known.map(|name| {
                Source {
                    file: path.to_owned(),
                    line: setting.line,
                    profile: profile.clone(),
                    setting: name,
                    gatepost: Some(setting.value.as_str())
                        .filter(|_| name == "credential_process")
                        .and_then(Call::read),
                }
            }));
        }
    }
    sources
}

/// Returns the profile that some SDK takes a section for. Several of them remove blanks and quotation marks.
fn profile_for_any_sdk(header: &str, kind: Kind) -> Option<String> {
    let header = header.trim();
    let unquoted = |name: &str| name.trim().trim_matches(['"', '\'']).to_owned();
    match kind {
        Kind::Credentials => Some(unquoted(header)),
        Kind::Config if unquoted(header) == "default" => Some("default".to_owned()),
        Kind::Config => {
            let name = header.strip_prefix("profile")?;
            name.starts_with(char::is_whitespace).then(|| unquoted(name))
        }
    }
}
