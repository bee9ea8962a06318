//! The profiles of a user as botocore puts them together from both files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::file::FileContents;
use super::process::shell_words;
use super::sections::Kind;
use super::sections::{DEFAULTS, Fault, Section, Sections, Setting};

/// The place of a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.line)
    }
}

/// A setting of a profile. Its value may be a secret.
pub(super) struct Value {
    pub(super) text: String,
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// The settings of a profile, by name.
#[derive(Default)]
pub(super) struct Profile(BTreeMap<String, Value>);

impl Profile {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// The profiles of both files.
#[derive(Default)]
pub struct Profiles {
    profiles: BTreeMap<String, Profile>,
    /// The names of the settings of each sso-session.
    pub(super) sso_sessions: BTreeMap<String, BTreeSet<String>>,
    faults: Vec<(Place, Fault)>,
}

impl Profiles {
    /// Puts the profiles together. A setting of the credentials file replaces that of the configuration file.
    pub fn new(files: &FileContents) -> Self {
        let mut all = Self::default();
        for (file, kind) in [(&files.config, Kind::Config), (&files.credentials, Kind::Credentials)] {
            if let Some((path, bytes)) = file.text() {
                all.add(path, Sections::parse(bytes), kind);
            }
        }
        all
    }

    fn add(&mut self, path: &Path, parsed: Sections, kind: Kind) {
        let place = |line| Place {
            file: path.to_owned(),
            line,
        };
        self.faults
            .extend(parsed.faults.iter().map(|(line, fault)| (place(*line), *fault)));
        let defaults = || parsed.sections.iter().filter(|section| section.header == DEFAULTS);
        for section in parsed.sections.iter().filter(|section| section.header != DEFAULTS) {
            let settings = || defaults().chain([section]).flat_map(|section| &section.settings);
            if let Some(name) = session_of(section, kind) {
                let names = settings().map(|setting| setting.name.clone());
                self.sso_sessions.entry(name).or_default().extend(names);
            }
            let Some(name) = profile_of(&section.header, kind) else {
                continue;
            };
            let profile = self.profiles.entry(name).or_default();
            for Setting { name, value, line, .. } in settings() {
                let value = Value {
                    text: value.clone(),
                    place: place(*line),
                    kind,
                };
                profile.0.insert(name.clone(), value);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The names of the profiles.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The faults for which botocore refuses to work, in the order of the files.
    pub fn faults(&self) -> &[(Place, Fault)] {
        &self.faults
    }
}

/// Returns the profile that botocore takes a section for. In the configuration file only the beginning of the first word counts.
pub(super) fn profile_of(header: &str, kind: Kind) -> Option<String> {
    match kind {
        Kind::Credentials => Some(header.to_owned()),
        Kind::Config if header == "default" => Some("default".to_owned()),
        Kind::Config => second_word(header, "profile"),
    }
}

fn session_of(section: &Section, kind: Kind) -> Option<String> {
    (kind == Kind::Config).then(|| second_word(&section.header, "sso-session"))?
}

fn second_word(header: &str, prefix: &str) -> Option<String> {
    let words = header.starts_with(prefix).then(|| shell_words(header))??;
    match <[String; 2]>::try_from(words) {
        Ok([_, name]) => Some(name),
        Err(_) => None,
    }
}
