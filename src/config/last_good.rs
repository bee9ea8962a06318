//! Stores the last good configuration, which was in use while the token was open, for a start that finds the files invalid.
//!
//! The merged table is stored, and not the checked values, so that a later version reads it as it reads the files. If that version
//! does not accept all of it, `lenient` leaves out the parts that the identity of the gateway does not depend on.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::files;
use super::lenient;
use super::merged::Merged;
use super::{Config, Folders};
use crate::atomic_file;
use crate::clock::rfc3339;
use crate::regular_file::{self, FileError};

/// The version of the document. Fields may be added to it, but a field that changes its meaning needs another version.
const VERSION: u32 = 1;
/// Enough for several configurations with hundreds of rules.
const MAX_SIZE: u64 = 8 * 1024 * 1024;
/// The permission bits of everyone but the owner.
const FOR_OTHERS: u32 = 0o077;

/// A stored configuration.
#[derive(Debug)]
pub struct LastGood {
    /// The configuration, as far as this version accepts it.
    pub config: Config,
    /// When it was saved (RFC 3339), by the clock at that time.
    pub saved: String,
    /// The parts that this version does not accept, a line each.
    pub left_out: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Document {
    version: u32,
    /// When it was saved (RFC 3339).
    saved: String,
    /// The version of gatepostd that saved it.
    gatepostd: String,
    /// [`Merged`] as JSON.
    content: String,
    /// SHA-256 of the content, in hex.
    sha256: String,
}

/// A note that the token could not be opened with a configuration.
#[derive(Deserialize, Serialize)]
struct Refusal {
    version: u32,
    /// SHA-256 of the content that the [`Document`] of this configuration would have.
    sha256: String,
    why: String,
}

/// The version alone, for a document of another version.
#[derive(Deserialize)]
struct DocumentVersion {
    version: u32,
}

/// Returns the path of the stored last good configuration.
pub fn path(folders: &Folders) -> PathBuf {
    folders.state.join("last-good.json")
}

/// Saves `config`, unless it is saved already.
///
/// # Errors
/// If the state folder cannot be written.
pub fn save(config: &Config, now: SystemTime) -> io::Result<()> {
    let content = serde_json::to_string(&*config.merged)?;
    let path = path(&config.folders);
    if read(&path).is_ok_and(|stored| stored.content == content) {
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

/// Loads the configuration that was saved for the main file `main`; `None` if there is none.
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

/// Records that the token cannot be opened with `config`, and why, so that the next start uses the last good one.
///
/// # Errors
/// If the state folder cannot be written.
pub fn save_refusal(config: &Config, why: &str) -> io::Result<()> {
    let refusal = Refusal {
        version: VERSION,
        sha256: checksum(&serde_json::to_string(&*config.merged)?),
        why: why.to_owned(),
    };
    atomic_file::replace_private(&refusal_path(&config.folders), &serde_json::to_vec(&refusal)?)
}

/// Returns the recorded reason why the token could not be opened with exactly this configuration. A changed configuration has no
/// reason, and is tried again.
pub fn load_refusal(config: &Config) -> Option<String> {
    let bytes = regular_file::read(&refusal_path(&config.folders), MAX_SIZE).ok()?;
    let refusal: Refusal = serde_json::from_slice(&bytes).ok()?;
    let content = serde_json::to_string(&*config.merged).ok()?;
    (refusal.version == VERSION && refusal.sha256 == checksum(&content)).then_some(refusal.why)
}

fn refusal_path(folders: &Folders) -> PathBuf {
    folders.state.join("refused-configuration.json")
}

/// Lists the access rules of a stored configuration that are no longer in the files, as far as the files can be read. Callers that
/// had lost these rights have them again.
pub fn find_revived_rules(config: &Config) -> Vec<String> {
    let Some(Value::Array(stored)) = config.merged.table.get("access") else {
        return Vec::new();
    };
    let rules = stored.iter().zip(&config.access).enumerate();
    let revived = rules.filter(|(index, (stored, _))| {
        let file = config.merged.sources.file_of(&format!("access[{index}]"));
        match files::parse_leniently(file) {
            Some(table) => !matches!(table.get("access"), Some(Value::Array(rules)) if rules.contains(stored)),
            // The rules of a file that cannot be read are unknown.
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
        FileError::NotAFile => "it is not a regular file".to_owned(),
        FileError::TooLarge => "it is larger than 8 MiB".to_owned(),
    })?;
    // serde_json's errors are not shown, because they may quote a value.
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

/// Refuses a file that someone else could have written, because access rules in it could grant them anything.
fn check_owner(is_file: bool, owner: u32, own: u32, mode: u32) -> Result<(), String> {
    if !is_file {
        return Err("it is not a regular file".to_owned());
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
