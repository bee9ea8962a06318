//! The last good configuration: what the files said when they were last in use with the token open, kept in the state folder
//! for a start that finds them wrong.
//!
//! It is kept as the merged table, not as the checked values, so that a later version reads it as it reads the files. Where that
//! version does not take all of it, `lenient` leaves out what is not needed to be this gateway.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::lenient;
use super::load::{self as files, Merged};
use super::{Config, Folders};
use crate::atomic_file;
use crate::clock::rfc3339;
use crate::regular_file::{self, FileError};

/// The form below. Fields may be added to it; one that changes its meaning is another version.
const VERSION: u32 = 1;
/// Several configurations of hundreds of rules.
const MAX_SIZE: u64 = 8 * 1024 * 1024;
/// Readable, writable or executable for anybody but the owner.
const FOR_OTHERS: u32 = 0o077;

/// A configuration that was good once.
#[derive(Debug)]
pub struct LastGood {
    /// The configuration, as far as this version takes it.
    pub config: Config,
    /// When it was saved, RFC 3339, by the clock of then.
    pub saved: String,
    /// The parts that this version does not accept, a line each.
    pub left_out: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Document {
    version: u32,
    /// When it was saved, RFC 3339.
    saved: String,
    /// The version of gatepostd that did.
    gatepostd: String,
    /// [`Merged`] as JSON.
    content: String,
    /// SHA-256 of the content, in hex.
    sha256: String,
}

/// A configuration by which the token could not be opened.
#[derive(Deserialize, Serialize)]
struct Refusal {
    version: u32,
    /// SHA-256 of the content that a [`Document`] of this configuration would have.
    sha256: String,
    why: String,
}

/// Only the version, for a file that is of another one.
#[derive(Deserialize)]
struct DocumentVersion {
    version: u32,
}

/// Returns the path of the stored last good configuration.
pub fn path(folders: &Folders) -> PathBuf {
    folders.state.join("last-good.json")
}

/// Keeps what `config` was made from, unless that is kept already.
///
/// # Errors
/// When the state folder cannot be written.
pub fn save(config: &Config, now: SystemTime) -> io::Result<()> {
    let content = serde_json::to_string(&*config.merged)?;
    let path = path(&config.folders);
    if read(&path).is_ok_and(|kept| kept.content == content) {
        return Ok(());
    }
    let document = Document {
        version: VERSION,
        saved: rfc3339(now),
        gatepostd: env!("CARGO_PKG_VERSION").to_owned(),
        sha256: checksum(&content),
        content,
    };
    atomic_file::replace_private(&path, &serde_json::to_vec(&document)?)
}

/// Reads what is kept for the main file `main`; `None` where nothing is.
///
/// # Errors
/// With the reason why it cannot be used, as a sentence that begins with its path.
pub fn load(main: &Path, folders: &Folders) -> Result<Option<LastGood>, String> {
    let path = path(folders);
    let named = |why: String| format!("{}: {why}", path.display());
    if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let document = read(&path).map_err(named)?;
    let merged: Merged = serde_json::from_str(&document.content).map_err(|_| named("it is damaged".to_owned()))?;
    if merged.sources.main() != main {
        return Err(named(format!(
            "it was made from {}, and not from {}",
            merged.sources.main().display(),
            main.display()
        )));
    }
    let (config, left_out) = lenient::check(merged, folders).map_err(|why| named(why.join("; ")))?;
    Ok(Some(LastGood {
        config,
        saved: document.saved,
        left_out,
    }))
}

/// Notes that the token cannot be opened by `config`, and why, so that the next start uses the last good one.
///
/// # Errors
/// When the state folder cannot be written.
pub fn refuse(config: &Config, why: &str) -> io::Result<()> {
    let refusal = Refusal {
        version: VERSION,
        sha256: checksum(&serde_json::to_string(&*config.merged)?),
        why: why.to_owned(),
    };
    atomic_file::replace_private(&refusal_path(&config.folders), &serde_json::to_vec(&refusal)?)
}

/// Why the token could not be opened by exactly this configuration, if that was noted. Files that were changed are tried.
pub fn refusal(config: &Config) -> Option<String> {
    let bytes = regular_file::read(&refusal_path(&config.folders), MAX_SIZE).ok()?;
    let refusal: Refusal = serde_json::from_slice(&bytes).ok()?;
    let content = serde_json::to_string(&*config.merged).ok()?;
    (refusal.version == VERSION && refusal.sha256 == checksum(&content)).then_some(refusal.why)
}

fn refusal_path(folders: &Folders) -> PathBuf {
    folders.state.join("refused-configuration.json")
}

/// The access rules of a last good configuration that the files do not have any more, by their places, as far as the files can
/// be read: who had them taken away has them again.
pub fn revived_rules(config: &Config) -> Vec<String> {
    let Some(Value::Array(kept)) = config.merged.table.get("access") else {
        return Vec::new();
    };
    let rules = kept.iter().zip(&config.access).enumerate();
    let revived = rules.filter(|(index, (kept, _))| {
        let file = config.merged.sources.file_of(&format!("access[{index}]"));
        match files::table_of(file) {
            Some(table) => !matches!(table.get("access"), Some(Value::Array(rules)) if rules.contains(kept)),
            // What stands in a file that cannot be read is not known.
            None => !file.exists(),
        }
    });
    revived
        .map(|(_, (_, rule))| format!("{} ({})", rule.place, rule.who))
        .collect()
}

fn read(path: &Path) -> Result<Document, String> {
    let found = fs::symlink_metadata(path).map_err(|error| format!("it cannot be read: {}", error.kind()))?;
    let own = rustix::process::geteuid().as_raw();
    check_owner(found.is_file(), found.uid(), own, found.mode())?;
    let bytes = regular_file::read(path, MAX_SIZE).map_err(|error| match error {
        FileError::Io(error) => format!("it cannot be read: {}", error.kind()),
        FileError::NotAFile => "it is no regular file".to_owned(),
        FileError::TooLarge => "it is larger than 8 MiB".to_owned(),
    })?;
    // serde_json's messages may quote a value.
    let damaged = |_| "it is damaged".to_owned();
    let DocumentVersion { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version != VERSION {
        return Err(format!(
            "it is of version {version}, and this gatepostd reads version {VERSION}"
        ));
    }
    let document: Document = serde_json::from_slice(&bytes).map_err(damaged)?;
    match document.sha256 == checksum(&document.content) {
        true => Ok(document),
        false => Err("it is damaged: its checksum is another one".to_owned()),
    }
}

/// Refuses a file that somebody else could have written: whoever writes access rules gives himself what he likes.
fn check_owner(is_file: bool, owner: u32, own: u32, mode: u32) -> Result<(), String> {
    if !is_file {
        return Err("it is no regular file".to_owned());
    }
    if owner != own && owner != 0 {
        return Err(format!("it belongs to uid {owner}, and not to gatepost's user"));
    }
    match mode & FOR_OTHERS {
        0 => Ok(()),
        _ => Err(format!("it is open to others (mode {:04o})", mode & 0o7777)),
    }
}

fn checksum(content: &str) -> String {
    let digest = digest(&SHA256, content.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
