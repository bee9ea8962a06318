//! The thing name that AWS has assigned, in a file of the state folder.
//!
//! In fleet provisioning the template names the thing, and the name is not in the certificate.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::thing_name::check_thing_name;
use crate::atomic_file;

/// The file with the assigned thing name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedName(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Content {
    thing_name: String,
}

impl AssignedName {
    /// Names the file at this path, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads the name. `None` if there is none, or what is there cannot be a thing name.
    pub fn read(&self) -> Option<String> {
        let content: Content = serde_json::from_slice(&fs::read(&self.0).ok()?).ok()?;
        check_thing_name(&content.thing_name)
            .is_ok()
            .then_some(content.thing_name)
    }

    /// Stores a name.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, thing_name: &str) -> io::Result<()> {
        let thing_name = thing_name.to_owned();
        atomic_file::replace(&self.0, &serde_json::to_vec(&Content { thing_name })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_thing_name_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thing-name.json");
        let name = AssignedName::new(path.clone());
        assert_eq!(name.read(), None);
        name.write("SN-42").unwrap();
        assert_eq!(name.read().as_deref(), Some("SN-42"));
        for damaged in [
            "",
            "{",
            "[]",
            "{\"thing-name\":\"\"}",
            "{\"thing-name\":\"a b\"}",
            "{\"thing-name\":7}",
            "\u{0}",
        ] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(name.read(), None, "{damaged}");
        }
        assert!(AssignedName::new(folder.path().join("none/x.json")).write("a").is_err());
    }
}
