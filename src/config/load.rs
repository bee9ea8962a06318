//! The files: which ones, in which order, and how they become one.
//!
//! Order: the main file, then `conf.d/*.toml` beside it by name. Tables merge key by key, the later file wins. Lists of
//! tables (`[[access]]`, `[[role-alias]]`) grow: a package can drop in a rule for its program without repeating ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::open_files;
use super::raw::Raw;
use super::toml_fault;
use crate::foreign_text::{clean, one_line};
use crate::regular_file::{self, FileError};

/// A configuration for hundreds of programs has a tenth of this.
const MAX_SIZE: u64 = 1024 * 1024;

/// The merged configuration and where each of its values came from.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) raw: Raw,
    pub(super) merged: Merged,
}

/// Merged content of all configuration files, and the file that sets each key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Merged {
    pub(super) table: Table,
    pub(super) sources: Sources,
}

/// Which file set a key: `aws.mqtt-endpoint`, `access[2]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Sources {
    main: PathBuf,
    keys: BTreeMap<String, PathBuf>,
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

    /// The file to name in a message about `key`: the one that set it or the table nearest around it, else the main file.
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

/// A file that is to be put into `conf.d`.
#[derive(Debug)]
pub struct Draft {
    /// Path that the file is to have.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

impl Merged {
    /// The same with some tables, and where they stand, as in another one.
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

    /// Removes an item of a list; the places of those after it change in [`Sources`] as well.
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

/// Reads and merges all files, and the draft of one as if it were there; every file that cannot be used is named with its
/// reason.
pub(super) fn load(main: &Path, draft: Option<&Draft>) -> Result<Loaded, Vec<String>> {
    let mut messages = Vec::new();
    let mut merged = Table::new();
    let mut sources = Sources::new(main);
    let mut files = files(main, &mut messages);
    files.extend(draft.map(|draft| draft.path.clone()));
    for file in files {
        let content = match draft.filter(|draft| draft.path == file) {
            Some(draft) => parse(&file, &draft.text),
            None => read(&file),
        };
        match content {
            Ok(table) => merge(&mut merged, table, "", &file, &mut sources.keys),
            Err(message) => messages.push(message),
        }
    }
    if !messages.is_empty() {
        // The names of the files are somebody's text as well.
        return Err(messages.iter().map(|message| one_line(message)).collect());
    }
    match merged.clone().try_into::<Raw>() {
        Ok(raw) => Ok(Loaded {
            raw,
            merged: Merged { table: merged, sources },
        }),
        Err(error) => Err(vec![format!("{}: {}", main.display(), toml_fault::reason(&error))]),
    }
}

/// The folder of the drop-ins.
pub(super) fn drop_ins(main: &Path) -> PathBuf {
    main.with_file_name("conf.d")
}

/// The main file, then the drop-ins in the order of their names.
pub(super) fn files(main: &Path, messages: &mut Vec<String>) -> Vec<PathBuf> {
    let mut files = vec![main.to_owned()];
    messages.extend(main.parent().and_then(open_folder));
    let folder = drop_ins(main);
    match fs::read_dir(&folder) {
        Ok(entries) => {
            messages.extend(open_folder(&folder));
            let mut dropped: Vec<PathBuf> = entries
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .filter(|path| is_drop_in(path))
                .collect();
            dropped.sort();
            files.append(&mut dropped);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => messages.push(format!("{}: cannot be listed: {}", folder.display(), clean(error))),
    }
    files
}

/// Says that every user may write the folder. A folder that cannot be looked at is told of by what is read from it.
fn open_folder(folder: &Path) -> Option<String> {
    // The name of a file alone is one in the current folder.
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    fs::metadata(folder)
        .ok()
        .and_then(|found| open_files::check(folder, &found).err())
}

/// Hidden files are an editor's own: Emacs' lock `.#x.toml` is a link to nowhere.
fn is_drop_in(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

/// One file, checked on its own first, so that a wrong key or type is reported with its file and line.
pub(super) fn read(file: &Path) -> Result<Table, String> {
    let name = file.display();
    let unreadable = |error: std::io::Error| format!("{name}: cannot be read: {}", clean(error));
    let found = fs::metadata(file).map_err(unreadable)?;
    open_files::check(file, &found)?;
    let bytes = regular_file::read(file, MAX_SIZE).map_err(|error| match error {
        FileError::Io(error) => unreadable(error),
        FileError::NotAFile => format!("{name}: cannot be read: it is no regular file"),
        FileError::TooLarge => format!("{name}: is larger than 1 MiB, which no configuration is"),
    })?;
    let text = text_of(bytes).map_err(|what| format!("{name}: {what}: save it as UTF-8"))?;
    parse(file, &text)
}

fn parse(file: &Path, text: &str) -> Result<Table, String> {
    let explain = |error: toml::de::Error| format!("{}:{}", file.display(), toml_fault::with_place(text, &error));
    toml::from_str::<Raw>(text).map_err(explain)?;
    toml::from_str::<Table>(text).map_err(explain)
}

/// TOML is UTF-8; the words are ours, because the error of the library says nothing that helps.
fn text_of(bytes: Vec<u8>) -> Result<String, &'static str> {
    match bytes.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Err("is UTF-16, as Windows editors write it"),
        _ => String::from_utf8(bytes).map_err(|_| "is not UTF-8"),
    }
}

/// Parses a TOML file, whether its keys are valid or not; `None` if it cannot be read or parsed.
pub(super) fn table_of(file: &Path) -> Option<Table> {
    let bytes = regular_file::read(file, MAX_SIZE).ok()?;
    text_of(bytes).ok()?.parse().ok()
}

fn merge(into: &mut Table, from: Table, prefix: &str, file: &Path, keys: &mut BTreeMap<String, PathBuf>) {
    for (name, value) in from {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match (into.get_mut(&name), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new, &key, file, keys),
            (Some(Value::Array(old)), Value::Array(new)) if grows(&key) => {
                for item in new {
                    keys.insert(format!("{key}[{}]", old.len()), file.to_owned());
                    old.push(item);
                }
            }
            (_, Value::Table(new)) => {
                keys.insert(key.clone(), file.to_owned());
                let mut table = Table::new();
                merge(&mut table, new, &key, file, keys);
                into.insert(name, Value::Table(table));
            }
            (_, value) => {
                if let (Value::Array(items), true) = (&value, grows(&key)) {
                    keys.extend((0..items.len()).map(|index| (format!("{key}[{index}]"), file.to_owned())));
                }
                keys.insert(key, file.to_owned());
                into.insert(name, value);
            }
        }
    }
}

/// Whether files add to the list of this name.
pub(super) fn grows(key: &str) -> bool {
    matches!(key, "access" | "role-alias")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let utf16 = |unit: fn(u16) -> [u8; 2]| "[aws]\n".encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (path, words) in [
            (pipe, "it is no regular file"),
            (folder.path().to_owned(), "it is no regular file"),
            (folder.path().join("nothing"), "cannot be read: "),
            (at("large", &[b'#'; 1024 * 1024 + 1]), "larger than 1 MiB"),
            (at("utf-16le", &utf16(u16::to_le_bytes)), "is UTF-16"),
            (at("utf-16be", &utf16(u16::to_be_bytes)), "is UTF-16"),
            (
                at(
                    "with a mark",
                    &[&[0xff, 0xfe], utf16(u16::to_le_bytes).as_slice()].concat(),
                ),
                "is UTF-16",
            ),
            (at("latin-1", b"# M\xfcnchen\n"), "is not UTF-8"),
            (at("binary", b"\x7fELF\xff"), "is not UTF-8"),
            (at("cut", b"[aws"), ":1:5: unclosed table"),
        ] {
            let said = read(&path).expect_err(words);
            assert!(
                said.starts_with(&path.display().to_string()) && said.contains(words),
                "{said}"
            );
        }
        for content in ["", "# only a comment\n", "[aws]\n", "[aws]\r\n"] {
            assert!(read(&at("good", content.as_bytes())).is_ok(), "{content:?}");
        }
    }
}
