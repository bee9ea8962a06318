//! A record on disk of the role aliases that have ever succeeded: what worked before a restart should work again.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use log::Level;
use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::event::{Event, journal};

/// The record. Clones share it.
#[derive(Clone, Debug)]
pub struct SuccessRecord {
    path: Arc<PathBuf>,
    aliases: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    succeeded: BTreeSet<String>,
}

impl SuccessRecord {
    /// Reads the record at `path`. A missing or damaged record counts as empty, because it only affects the wording of problems.
    pub fn load(path: PathBuf) -> Self {
        let text = fs::read(&path).unwrap_or_default();
        let document: Document = serde_json::from_slice(&text).unwrap_or_default();
        Self {
            path: Arc::new(path),
            aliases: Arc::new(Mutex::new(document.succeeded)),
        }
    }

    /// Returns whether this alias has ever succeeded.
    pub fn has_succeeded(&self, alias: &str) -> bool {
        self.aliases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(alias)
    }

    /// Records that this alias has succeeded. The file is written once per alias.
    pub fn remember(&self, alias: &str) {
        let mut aliases = self.aliases.lock().unwrap_or_else(PoisonError::into_inner);
        if !aliases.insert(alias.to_owned()) {
            return;
        }
        let document = Document {
            succeeded: aliases.clone(),
        };
        let written = serde_json::to_vec(&document)
            .map_err(std::io::Error::from)
            .and_then(|text| atomic_file::replace(&self.path, &text));
        if let Err(error) = written {
            journal!(
                Level::Warn, Event::StateUnwritable;
                "role alias {alias}: {} cannot be written; after a restart it counts as one that has never returned credentials: {error}",
                self.path.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_remembered_through_restarts_and_a_damaged_record_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("role-aliases.json");
        let record = SuccessRecord::load(path.clone());
        assert!(!record.has_succeeded("telemetry"));
        record.clone().remember("telemetry");
        record.remember("upload");
        assert!(record.has_succeeded("telemetry"));
        let again = SuccessRecord::load(path.clone());
        assert!(again.has_succeeded("telemetry") && again.has_succeeded("upload") && !again.has_succeeded("other"));
        for damaged in ["", "{", "[]", "{\"succeeded\":7}", "\0\0"] {
            fs::write(&path, damaged).unwrap();
            assert!(
                !SuccessRecord::load(path.clone()).has_succeeded("telemetry"),
                "{damaged:?}"
            );
        }
    }
}
