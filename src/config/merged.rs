//! The content of all configuration files, merged, and the file that each key came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The merged content of all configuration files, and the file that sets each key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Merged {
    pub(super) table: Table,
    pub(super) sources: Sources,
}

/// The file that sets each key, such as `aws.mqtt-endpoint` or `access[2]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Sources {
    main: PathBuf,
    pub(super) keys: BTreeMap<String, PathBuf>,
}

impl Sources {
    pub(super) fn new(main: &Path) -> Self {
        Self {
            main: main.to_owned(),
            keys: BTreeMap::new(),
        }
    }

    pub(super) fn main(&self) -> &Path {
        &self.main
    }

    /// Returns the file to name in a message about `key`: the one that sets it or its nearest table, or else the main file.
    pub(super) fn file_of(&self, key: &str) -> &Path {
        let mut place = key;
        loop {
            if let Some(file) = self.keys.get(place) {
                return file;
            }
            match place.rfind('.') {
                Some(dot) => place = place.get(..dot).unwrap_or_default(),
                None => return &self.main,
            }
        }
    }
}

impl Merged {
    /// Returns a copy in which the named tables and their sources are taken from `other`.
    pub(super) fn with_tables_of(&self, other: &Self, names: &[&str]) -> Self {
        let mut merged = self.clone();
        for name in names {
            merged.table.remove(*name);
            merged.table.extend(
                other
                    .table
                    .get_key_value(*name)
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
            let within =
                |key: &String| key == name || key.strip_prefix(*name).is_some_and(|rest| rest.starts_with('.'));
            merged.sources.keys.retain(|key, _| !within(key));
            let keys = other.sources.keys.iter().filter(|(key, _)| within(key));
            merged
                .sources
                .keys
                .extend(keys.map(|(key, file)| (key.clone(), file.clone())));
        }
        merged
    }

    /// Removes an item of a list, and renumbers the items after it in [`Sources`] as well.
    pub(super) fn remove_item(&mut self, list: &str, index: usize) {
        let Some(Value::Array(items)) = self.table.get_mut(list) else {
            return;
        };
        if index >= items.len() {
            return;
        }
        items.remove(index);
        let place = |index: usize| format!("{list}[{index}]");
        self.sources.keys.remove(&place(index));
        for next in index..items.len() {
            if let Some(file) = self.sources.keys.remove(&place(next + 1)) {
                self.sources.keys.insert(place(next), file);
            }
        }
    }
}
