//! Settings and sections that no program understands, though their names are near to one that is understood.

use super::file::FileContents;
use super::profiles::{Place, profile_of};
use super::sections::Kind;
use super::sections::{DEFAULTS, Sections};
use super::sources::CREDENTIAL_SETTINGS;
use crate::edit_distance::edit_distance;

/// Longer names are no mistyped ones.
const LONGEST_NAME: usize = 40;
/// Names that other tools have, or had, for the same.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("aws_access_key", "aws_access_key_id"),
    ("aws_secret_key", "aws_secret_access_key"),
    ("aws_token", "aws_session_token"),
    ("aws_region", "region"),
];
/// Sections of the configuration file that are no profiles (botocore, configloader.py; AWS CLI, configure/writer).
const NO_PROFILES: [&str; 5] = ["default", "plugins", "preview", "cli", "toggle"];

/// Something that is probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A section of the configuration file has settings of a profile, but lacks the word `profile`.
    NoProfile {
        /// The header.
        place: Place,
    },
    /// A section of the credentials file has the word `profile`.
    WordProfile {
        /// The header.
        place: Place,
    },
    /// `[default]` is written with capitals.
    Default {
        /// The header.
        place: Place,
    },
    /// A setting is misspelt.
    Misspelt {
        /// The setting.
        place: Place,
        /// The correct name.
        name: &'static str,
    },
    /// A setting has capitals, which the SDK for JavaScript does not understand.
    Capitals {
        /// The setting.
        place: Place,
        /// The correct name.
        name: &'static str,
    },
}

/// Finds probable mistakes in both files.
pub fn find_hints(files: &FileContents) -> Vec<Hint> {
    let mut hints = Vec::new();
    for (file, kind) in files.files() {
        let Some((path, bytes)) = file.text() else { continue };
        let place = |line| Place {
            file: path.to_owned(),
            line,
        };
        for section in Sections::parse(bytes).sections {
            let is_about_credentials = section.settings.iter().any(|setting| known(&setting.name).is_some());
            let header = section.header.trim();
            let place_of_header = place(section.line);
            match kind {
                _ if header == DEFAULTS || (header != "default" && header.eq_ignore_ascii_case("default")) => {
                    hints.push(Hint::Default { place: place_of_header });
                }
                Kind::Credentials if header.starts_with("profile ") => {
                    hints.push(Hint::WordProfile { place: place_of_header });
                }
                Kind::Config if is_about_credentials && is_no_profile(&section.header) => {
                    hints.push(Hint::NoProfile { place: place_of_header });
                }
                _ => {}
            }
            for setting in &section.settings {
                let place = place(setting.line);
                match (known(&setting.name), meant(&setting.name)) {
                    (Some(name), _) if setting.written_name != name => hints.push(Hint::Capitals { place, name }),
                    (None, Some(name)) => hints.push(Hint::Misspelt { place, name }),
                    _ => {}
                }
            }
        }
    }
    hints
}

/// Returns whether botocore takes a section for no profile, and for nothing else that it knows.
fn is_no_profile(header: &str) -> bool {
    let is_known = NO_PROFILES.contains(&header) || header.starts_with("sso-session") || header.starts_with("services");
    profile_of(header, Kind::Config).is_none() && !is_known
}

fn known(name: &str) -> Option<&'static str> {
    CREDENTIAL_SETTINGS
        .into_iter()
        .chain(["region"])
        .find(|known| *known == name)
}

/// Returns the setting that was probably meant.
fn meant(name: &str) -> Option<&'static str> {
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name);
    if let Some((_, known)) = other {
        return Some(known);
    }
    if name.len() > LONGEST_NAME || name.len() < 6 {
        return None;
    }
    // A hyphen is taken for an underscore.
    let name = name.replace('-', "_");
    CREDENTIAL_SETTINGS
        .into_iter()
        .find(|known| edit_distance(known, &name) <= 2)
}
