//! `[[credentials-file]]`: files of credentials for programs that can only read a file.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::findings::Findings;
use super::folders::Folders;
use super::raw::RawCredentialsFile;
use super::values::{check_account_name, parse_absolute_path};
use crate::foreign_text;

/// A file of credentials. The entry itself grants its owner the role alias; it needs no access rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsFile {
    /// Its place in the files, for messages: `credentials-file[0] of /etc/gatepost/gatepost.toml`.
    pub place: String,
    /// The path of the file.
    pub path: PathBuf,
    /// The role alias whose credentials the file contains.
    pub role_alias: String,
    /// The only account, besides root and gatepost, that can read the file.
    pub owner: FileOwner,
    /// The format of the file.
    pub format: FileFormat,
}

/// The account that can read a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOwner {
    /// A user, by name or number.
    User(String),
    /// A group, by name or number.
    Group(String),
}

/// The format of a credentials file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// The shared credentials file of AWS's SDKs, with the profile `default`.
    Aws,
    /// One line for the Kinesis Video Streams producer SDK.
    Kvssink,
    /// A line for each environment variable, as systemd's EnvironmentFile= and a shell read it.
    Env,
}

impl FileFormat {
    const ALL: [Self; 3] = [Self::Aws, Self::Kvssink, Self::Env];

    /// Returns the format as the configuration names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Kvssink => "kvssink",
            Self::Env => "env",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.word() == text);
        known.ok_or_else(|| {
            let value = foreign_text::value(text);
            format!("{value} is not a format: it is \"aws\", \"kvssink\" or \"env\"")
        })
    }
}

impl FileOwner {
    /// Returns the name, or the number as text.
    pub fn name(&self) -> &str {
        let (Self::User(name) | Self::Group(name)) = self;
        name
    }
}

impl fmt::Display for FileOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user {name}"),
            Self::Group(name) => write!(f, "group {name}"),
        }
    }
}

/// Returns the folder of files whose entries name no path.
pub fn default_folder(runtime: &Path) -> PathBuf {
    runtime.join("files")
}

/// Returns the entries that can be used, and reports the faults of the others.
pub(super) fn check_credentials_files(
    raw: Vec<RawCredentialsFile>,
    aliases: &[&str],
    folders: &Folders,
    findings: &mut Findings,
) -> Vec<CredentialsFile> {
    let mut files: Vec<CredentialsFile> = Vec::new();
    for (index, item) in raw.into_iter().enumerate() {
        let key = format!("credentials-file[{index}]");
        let is_alias = |name: &str| match aliases.contains(&name) {
            true => Ok(name.to_owned()),
            false => Err(format!("no [[role-alias]] is named {}", foreign_text::value(name))),
        };
        let role_alias = findings.parse_required(&format!("{key}.role-alias"), item.role_alias, is_alias);
        let format = findings.parse_required(&format!("{key}.format"), item.format, FileFormat::parse);
        let owner = check_owner(&key, item.owner, item.group, findings);
        let path = findings.parse_optional(&format!("{key}.path"), item.path.clone(), |text| {
            parse_path(text, folders)
        });
        let (Some(role_alias), Some(format), Some(owner)) = (role_alias, format, owner) else {
            continue;
        };
        let path = match (path, item.path) {
            (Some(path), _) => path,
            (None, None) => default_folder(&folders.runtime).join(default_name(&owner, &role_alias, format)),
            // The fault is reported.
            (None, Some(_)) => continue,
        };
        if let Some(other) = files.iter().find(|other| other.path == path) {
            let reason = format!("is the path of {}, too; each file needs a path of its own", other.place);
            findings.add_fault(&format!("{key}.path"), reason);
        }
        let place = format!("{key} of {}", findings.file_of(&key));
        files.push(CredentialsFile {
            place,
            path,
            role_alias,
            owner,
            format,
        });
    }
    files
}

fn check_owner(key: &str, owner: Option<String>, group: Option<String>, findings: &mut Findings) -> Option<FileOwner> {
    let (name, account, of): (_, _, fn(String) -> FileOwner) = match (owner, group) {
        (Some(owner), None) => ("owner", owner, FileOwner::User),
        (None, Some(group)) => ("group", group, FileOwner::Group),
        (None, None) => {
            findings.add_fault(key, "has no reader: it needs owner (a user) or group");
            return None;
        }
        (Some(_), Some(_)) => {
            findings.add_fault(
                key,
                "has both owner and group: either a user or a group can read the file",
            );
            return None;
        }
    };
    let checked = check_account_name(&account).map(|()| of(account));
    findings.check(&format!("{key}.{name}"), checked)
}

/// Parses the path of a file. It must not be one of gatepost's own files.
fn parse_path(text: &str, folders: &Folders) -> Result<PathBuf, String> {
    let path = parse_absolute_path(text)?;
    let is_plain = |component| matches!(component, Component::RootDir | Component::Normal(_));
    if !path.components().all(is_plain) {
        return Err("contains \"..\": write the path without it".to_owned());
    }
    if text.ends_with('/') || text.ends_with("/.") || path.file_name().is_none() {
        return Err("names a folder: it must be the path of the file itself".to_owned());
    }
    let is_own = [&folders.state, &folders.runtime]
        .into_iter()
        .any(|folder| path.starts_with(folder));
    let default = default_folder(&folders.runtime);
    match is_own && path.parent() != Some(&default) {
        true => Err(format!(
            "is among gatepost's own files: choose a path in {}, or leave it out",
            default.display()
        )),
        false => Ok(path),
    }
}

/// Returns the name of a file whose entry names no path, such as `camera-telemetry.aws`.
fn default_name(owner: &FileOwner, role_alias: &str, format: FileFormat) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || "-_.@".contains(c) {
        true => c,
        false => '_',
    };
    let owner: String = owner.name().chars().map(plain).take(64).collect();
    format!("{owner}-{role_alias}.{}", format.word())
}

#[cfg(test)]
mod tests {
    use crate::config::test_files::{self, MINIMUM};

    use super::*;

    fn load(entries: &str) -> Result<Vec<CredentialsFile>, String> {
        let main =
            format!("{MINIMUM}[[role-alias]]\nname = \"telemetry\"\n[[role-alias]]\nname = \"video\"\n{entries}");
        test_files::load(&main, &[]).map(|config| config.credentials_files)
    }

    fn entry(lines: &str) -> String {
        format!("[[credentials-file]]\n{lines}\n")
    }

    #[test]
    fn a_file_has_a_path_of_its_own_even_if_the_entry_names_none() {
        for (lines, path) in [
            (
                "owner = \"camera\"\nformat = \"aws\"",
                "/run/gatepost/files/camera-telemetry.aws",
            ),
            (
                "owner = \"1200\"\nformat = \"env\"",
                "/run/gatepost/files/1200-telemetry.env",
            ),
            (
                "group = \"video\"\nformat = \"kvssink\"",
                "/run/gatepost/files/video-telemetry.kvssink",
            ),
            (
                "owner = 'DOMAIN\\cam/era'\nformat = \"aws\"",
                "/run/gatepost/files/DOMAIN_cam_era-telemetry.aws",
            ),
            ("owner = \"a\"\nformat = \"aws\"\npath = \"/srv/x/keys\"", "/srv/x/keys"),
            (
                "owner = \"a\"\nformat = \"aws\"\npath = \"/run/gatepost/files/keys\"",
                "/run/gatepost/files/keys",
            ),
            (
                "owner = \"a\"\nformat = \"aws\"\npath = \"/srv//x/./keys\"",
                "/srv/x/keys",
            ),
        ] {
            let files = load(&entry(&format!("role-alias = \"telemetry\"\n{lines}"))).unwrap();
            assert_eq!(files[0].path, Path::new(path), "{lines}");
            assert!(
                files[0].place.starts_with("credentials-file[0] of "),
                "{}",
                files[0].place
            );
        }
    }

    #[test]
    fn each_fault_of_an_entry_is_named() {
        let good = "role-alias = \"telemetry\"\nowner = \"camera\"\nformat = \"aws\"";
        let with = |line: &str| entry(&format!("{good}\n{line}"));
        let without = |key: &str| {
            let lines = good.lines().filter(|line| !line.starts_with(key));
            entry(&lines.collect::<Vec<_>>().join("\n"))
        };
        for (entries, fault) in [
            (without("role-alias"), "credentials-file[0].role-alias: is not set"),
            (without("owner"), "credentials-file[0]: has no reader"),
            (without("format"), "credentials-file[0].format: is not set"),
            (with("group = \"video\""), "has both owner and group"),
            (with("path = \"keys\""), "is not an absolute path"),
            (with("path = \"/srv/../etc/shadow\""), "contains \"..\""),
            (with("path = \"/srv/x/\""), "names a folder"),
            (with("path = \"/\""), "names a folder"),
            (
                with("path = \"/run/gatepost/gatepost.sock\""),
                "among gatepost's own files",
            ),
            (with("path = \"/run/gatepost/files/x/y\""), "among gatepost's own files"),
            (
                with("path = \"/var/lib/gatepost/device.pem\""),
                "among gatepost's own files",
            ),
            (with("path = \"/srv/a\\nb\""), "control character"),
            (with("mode = \"0644\""), "unknown field"),
            (good.replace("telemetry", "none"), "no [[role-alias]] is named \"none\""),
            (good.replace("\"aws\"", "\"json\""), "\"json\" is not a format"),
            (good.replace("camera", "a:b"), "is not a name of a user or a group"),
            (
                format!("{}{}", with(""), with("")),
                "is the path of credentials-file[0] of",
            ),
            (
                format!("{}{}", with("path = \"/srv/x\""), with("path = \"/srv//./x\"")),
                "is the path of credentials-file[0] of",
            ),
        ] {
            let entries = match entries.starts_with('[') {
                true => entries,
                false => entry(&entries),
            };
            let error = load(&entries).unwrap_err();
            assert!(error.contains(fault), "{entries}: {error}");
        }
        let other = with("").replace("telemetry", "video");
        assert_eq!(load(&format!("{}{other}", with(""))).unwrap().len(), 2);
    }
}
