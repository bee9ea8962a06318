//! Writes the token files: one for each set of selectors in the access rules, readable by its recipients alone.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use log::Level;
use zeroize::Zeroizing;

use super::secret_file;
use super::token::{BearerToken, BearerTokens};
use crate::config::Selectors;
use crate::event::{Event, journal};
use crate::foreign_text::clean;
use crate::local::access::TokenRecipient;
use crate::local::grant::grant_read;
use crate::problem::Problem;
use crate::secret::ExposeSecret;

/// The next step if the folder cannot be written.
const FOLDER_STEP: &str = "check the owner of the folder, and that its file system is neither full nor read-only";

/// The reason for writing the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteReason {
    /// The daemon has started. Its known tokens come from the previous run, and every file is restored.
    Start,
    /// The rules were reloaded. A file that the administrator has removed gets a new token.
    Reload,
}

/// The accepted tokens, and the problems with the others.
#[derive(Debug)]
pub struct TokenFiles {
    /// The accepted tokens.
    pub tokens: BearerTokens,
    /// A problem for each token or file that is missing.
    pub problems: Vec<Problem>,
}

/// Writes a token file in `folder` for each of `recipients`, keeping the tokens of `known` for the same recipients, and removes
/// every other file there. A file that cannot be written becomes a problem, and does not affect the others.
pub fn write_token_files(
    folder: &Path,
    recipients: Vec<TokenRecipient>,
    known: &BearerTokens,
    reason: WriteReason,
) -> TokenFiles {
    let mut problems = Vec::new();
    let prepared = prepare_folder(folder, known);
    if let Err(error) = &prepared {
        let message = format!(
            "the folder of the token files cannot be created or written: {}",
            describe(folder, error)
        );
        problems.push(Problem::configuration(message).next(FOLDER_STEP));
    }
    let mut tokens: Vec<BearerToken> = Vec::new();
    for recipient in recipients {
        let selectors = recipient.selectors.clone();
        let previous = known.find_generated(&selectors, recipient.reader).cloned();
        let outcome = match (&recipient.token_file, &prepared) {
            (Some(path), _) => administrator_token(path, &recipient, &tokens),
            // The problem is reported once for all of them. Programs that already have a token can continue.
            (None, Err(_)) => {
                tokens.extend(previous);
                continue;
            }
            (None, Ok(())) => generated_token(&recipient, folder, previous.as_ref(), reason, &tokens),
        };
        match outcome {
            Ok(token) => tokens.push(token),
            Err(problem) => {
                problems.push(missing_token(&selectors, problem));
                // At a start the previous token stays valid, because programs have it. At a reload the administrator may have
                // removed its file to revoke it.
                let is_valid = |token: &BearerToken| reason == WriteReason::Start || token.has_no_file();
                tokens.extend(previous.filter(|token| recipient.token_file.is_none() && is_valid(token)));
            }
        }
    }
    let tokens = BearerTokens::new(tokens);
    for stale in entries(folder).filter(|path| !tokens.files().any(|file| file == path)) {
        // A file that cannot be removed holds no token that is still accepted.
        let _ = fs::remove_file(stale);
    }
    let with_event = |problem: Problem| problem.about(Event::LoopbackTokenFile);
    TokenFiles {
        tokens,
        problems: problems.into_iter().map(with_event).collect(),
    }
}

/// Reads the files of the administrator that `recipients` have, and writes none.
pub fn read_administrator_tokens(recipients: &[TokenRecipient]) -> TokenFiles {
    let (mut tokens, mut problems): (Vec<BearerToken>, Vec<Problem>) = (Vec::new(), Vec::new());
    for recipient in recipients {
        let Some(path) = &recipient.token_file else { continue };
        match administrator_token(path, recipient, &tokens) {
            Ok(token) => tokens.push(token),
            // The same words as on the loopback listener: two listeners that lack the same token have one problem.
            Err(problem) => problems.push(missing_token(&recipient.selectors, problem).about(Event::LoopbackTokenFile)),
        }
    }
    TokenFiles {
        tokens: BearerTokens::new(tokens),
        problems,
    }
}

/// Returns the problem that a recipient has no token because of `cause`.
fn missing_token(selectors: &Selectors, cause: Problem) -> Problem {
    let message = format!("there is no token for {selectors}: {}", cause.message);
    let step = cause.next_step.unwrap_or_else(|| "correct it".to_owned());
    Problem::configuration(message).next(format!("{step}; then: systemctl reload gatepost"))
}

/// Removes every token file. Another user who had the port meanwhile may have been shown the tokens in them.
pub fn remove_token_files(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            journal!(
                Level::Error, Event::LoopbackTokenFile;
                "loopback: old token files in {} cannot be removed; their tokens are not valid any more: {error}", folder.display()
            );
        }
        _ => {}
    }
}

/// Reads the token from a file of the administrator.
fn administrator_token(
    path: &Path,
    recipient: &TokenRecipient,
    others: &[BearerToken],
) -> Result<BearerToken, Problem> {
    let value = secret_file::read(path)?;
    let same = others
        .iter()
        .find(|other| other.matches(value.expose_secret().as_bytes()));
    match same {
        Some(other) => {
            let message = format!(
                "{} holds the same token as that for {}",
                path.display(),
                other.selectors
            );
            Err(Problem::configuration(message).next("give each of them a token of its own"))
        }
        None => Ok(BearerToken::from_administrator(
            recipient.selectors.clone(),
            recipient.reader,
            path.to_owned(),
            value,
        )),
    }
}

/// Returns a generated token, in a file that its reader can read. `previous` is the one that there was before.
fn generated_token(
    recipient: &TokenRecipient,
    folder: &Path,
    previous: Option<&BearerToken>,
    reason: WriteReason,
    others: &[BearerToken],
) -> Result<BearerToken, Problem> {
    let selectors = &recipient.selectors;
    let file = path_for(selectors, folder, others);
    let token = match (previous, reason) {
        (Some(token), WriteReason::Reload) if file_may_be_current(token) => return Ok(token.clone()),
        (Some(token), _) if reason == WriteReason::Start || token.has_no_file() => {
            let token = token.with_file(file);
            if file_is_current(&token) {
                return Ok(token);
            }
            token
        }
        _ => BearerToken::generate(selectors.clone(), recipient.reader, file).map_err(Problem::configuration)?,
    };
    match write_file(&token) {
        Ok(()) => Ok(token),
        Err(error) => {
            let message = format!("its file cannot be written: {}", describe(&token.file, &error));
            Err(Problem::configuration(message).next(FOLDER_STEP))
        }
    }
}

/// Returns the path with the error for a message.
fn describe(path: &Path, error: &io::Error) -> String {
    format!("{}: {}", path.display(), clean(error))
}

/// Creates an empty folder at the first time, replacing whatever was there: it could be a link to somewhere else.
fn prepare_folder(folder: &Path, known: &BearerTokens) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() && known.files().next().is_some() => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(folder)?,
        Ok(_) => fs::remove_file(folder)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    DirBuilder::new().mode(0o755).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// Returns a path that no other token has.
fn path_for(selectors: &Selectors, folder: &Path, others: &[BearerToken]) -> PathBuf {
    let path = folder.join(file_name(selectors));
    match others.iter().any(|other| other.file == path) {
        // The selectors differ only in characters that file names cannot have.
        true => folder.join(format!("{}-{}", file_name(selectors), others.len())),
        false => path,
    }
}

/// Returns whether the file exists and holds the token. Such a file is not written again, because programs may have it open.
fn file_is_current(token: &BearerToken) -> bool {
    let is_file = fs::symlink_metadata(&token.file).is_ok_and(|found| found.is_file());
    is_file && fs::read(&token.file).is_ok_and(|content| token.matches(&Zeroizing::new(content)))
}

/// Returns whether the file exists and holds the token as far as this user can tell: its reader may own it.
fn file_may_be_current(token: &BearerToken) -> bool {
    let is_file = fs::symlink_metadata(&token.file).is_ok_and(|found| found.is_file());
    let is_hidden = || matches!(File::open(&token.file), Err(error) if error.kind() == ErrorKind::PermissionDenied);
    is_file && (file_is_current(token) || is_hidden())
}

/// Writes the file under a temporary name, which must not exist and so is not a link, and renames it, which replaces a link
/// and does not follow it. Nobody sees an incomplete token, or one that others could still read.
fn write_file(token: &BearerToken) -> io::Result<()> {
    let draft = token.file.with_extension("draft");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o400).open(&draft)?;
    let outcome = file
        .write_all(token.value().expose_secret().as_bytes())
        .and_then(|()| grant_read(&file, token.reader))
        .and_then(|()| fs::rename(&draft, &token.file));
    if outcome.is_err() {
        // The caller reports the error; an incomplete file is of no use.
        let _ = fs::remove_file(&draft);
    }
    outcome
}

/// Returns the file's name, such as `user-camera` or `uid-1000+unit-camera.service`.
fn file_name(selectors: &Selectors) -> String {
    let plain = |c: char| match c {
        ' ' => '-',
        ',' => '+',
        c if c.is_ascii_alphanumeric() || "-_.@:".contains(c) => c,
        _ => '_',
    };
    let words = selectors.to_string().replace(", ", ",");
    words.chars().map(plain).take(200).collect()
}

/// Iterates over the paths in the folder.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path()))
}

#[cfg(test)]
mod tests;
