//! Reads the files of the configuration and merges them.
//!
//! The main file comes first, then `conf.d/*.toml` beside it, sorted by name. Tables are merged key by key, and a later file
//! overrides earlier ones. Lists of tables (`[[access]]`, `[[role-alias]]`, `[[credentials-file]]`) are appended, so that a package can add a rule for
//! its program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::FileFault;
use super::file_permissions;
use super::merged::{Merged, Sources};
use super::raw::Raw;
use super::toml_fault;
use crate::regular_file::{self, FileError};

/// Where the configuration is, unless the command line names another file.
pub const DEFAULT_PATH: &str = "/etc/gatepost/gatepost.toml";

/// Ten times the size of a configuration for hundreds of programs.
const MAX_SIZE: u64 = 1024 * 1024;

/// The merged configuration and where each of its values came from.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) raw: Raw,
    pub(super) merged: Merged,
}

/// A file that is to be added to `conf.d`.
#[derive(Debug)]
pub struct Draft {
    /// The future path of the file.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// Reads and merges all files, and a draft as if it existed.
///
/// # Errors
/// With a line for each file that cannot be used.
pub(super) fn load(main: &Path, draft: Option<&Draft>) -> Result<Loaded, Vec<FileFault>> {
    let mut faults = Vec::new();
    let mut merged = Table::new();
    let mut sources = Sources::new(main);
    let mut files = find_files(main, &mut faults);
    files.extend(draft.map(|draft| draft.path.clone()));
    for file in files {
        let content = match draft.filter(|draft| draft.path == file) {
            Some(draft) => parse(&file, &draft.text).map_err(FileFault::from),
            None => read(&file),
        };
        match content {
            Ok(table) => merge(&mut merged, table, "", &file, &mut sources.keys),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    match merged.clone().try_into::<Raw>() {
        Ok(raw) => Ok(Loaded {
            raw,
            merged: Merged { table: merged, sources },
        }),
        Err(error) => {
            let message = format!("{}: {}", main.display(), toml_fault::describe(&error));
            Err(vec![message.into()])
        }
    }
}

/// Returns every file of the configuration whose main file is `main`, and the folder of the drop-ins if it exists.
pub fn list_files(main: &Path) -> Vec<PathBuf> {
    let mut found = find_files(main, &mut Vec::new());
    found.extend(Some(drop_in_folder(main)).filter(|folder| folder.exists()));
    found
}

/// Returns the folder of the drop-ins, which is beside the main file.
pub fn drop_in_folder(main: &Path) -> PathBuf {
    main.with_file_name("conf.d")
}

/// Lists the main file and the drop-ins, in the order of their names.
fn find_files(main: &Path, faults: &mut Vec<FileFault>) -> Vec<PathBuf> {
    let mut files = vec![main.to_owned()];
    faults.extend(main.parent().and_then(find_folder_fault).map(FileFault::from));
    let folder = drop_in_folder(main);
    match fs::read_dir(&folder) {
        Ok(entries) => {
            faults.extend(find_folder_fault(&folder).map(FileFault::from));
            let mut dropped: Vec<PathBuf> = entries
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .filter(|path| is_drop_in(path))
                .collect();
            dropped.sort();
            files.append(&mut dropped);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => faults.push(FileFault::unreadable(&folder, "listed", &error)),
    }
    files
}

/// Returns the fault of a folder that other users may write. A folder that cannot be examined is reported when its files are read.
fn find_folder_fault(folder: &Path) -> Option<String> {
    // A file name without a folder is in the current folder.
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    fs::metadata(folder)
        .ok()
        .and_then(|found| file_permissions::check(folder, &found).err())
}

/// Returns whether a file in `conf.d` counts. Hidden files belong to editors: Emacs' lock `.#x.toml` is a dangling link.
fn is_drop_in(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

/// Reads one file. It is checked on its own, so that a wrong key or type is reported with its file and line.
pub(super) fn read(file: &Path) -> Result<Table, FileFault> {
    let name = file.display();
    let unreadable = |error: std::io::Error| FileFault::unreadable(file, "read", &error);
    let found = fs::metadata(file).map_err(unreadable)?;
    file_permissions::check(file, &found)?;
    let bytes = regular_file::read(file, MAX_SIZE).map_err(|error| match error {
        FileError::Io(error) => unreadable(error),
        FileError::NotAFile => format!("{name}: cannot be read: it is not a regular file").into(),
        FileError::TooLarge => format!("{name}: is larger than 1 MiB, which no configuration is").into(),
    })?;
    let text = decode(bytes).map_err(|what| format!("{name}: {what}: save it as UTF-8"))?;
    parse(file, &text).map_err(FileFault::from)
}

fn parse(file: &Path, text: &str) -> Result<Table, String> {
    let explain = |error: toml::de::Error| format!("{}:{}", file.display(), toml_fault::describe_at(text, &error));
    toml::from_str::<Raw>(text).map_err(explain)?;
    toml::from_str::<Table>(text).map_err(explain)
}

/// Decodes UTF-8, which TOML requires. Other encodings are named, because the library's error would not help.
fn decode(bytes: Vec<u8>) -> Result<String, &'static str> {
    match bytes.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Err("is UTF-16, as Windows editors write it"),
        _ => String::from_utf8(bytes).map_err(|_| "is not UTF-8"),
    }
}

/// Parses a TOML file without checking its keys; `None` if it cannot be read or parsed.
pub(super) fn parse_leniently(file: &Path) -> Option<Table> {
    let bytes = regular_file::read(file, MAX_SIZE).ok()?;
    decode(bytes).ok()?.parse().ok()
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
            (Some(Value::Array(old)), Value::Array(new)) if is_appended(&key) => {
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
                if let (Value::Array(items), true) = (&value, is_appended(&key)) {
                    keys.extend((0..items.len()).map(|index| (format!("{key}[{index}]"), file.to_owned())));
                }
                keys.insert(key, file.to_owned());
                into.insert(name, value);
            }
        }
    }
}

/// Returns whether each file appends to the list of this name.
pub(super) fn is_appended(key: &str) -> bool {
    matches!(key, "access" | "role-alias" | "credentials-file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_text_is_described() {
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
            (pipe, "it is not a regular file"),
            (folder.path().to_owned(), "it is not a regular file"),
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
            let said = read(&path).expect_err(words).to_string();
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
