//! The token files: one for each set of people that access rules are for, readable by them alone.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use log::Level;
use zeroize::Zeroizing;

use super::acl;
use super::secret_file;
use super::tokens::{Reader, Recipient, Token, Tokens};
use crate::config::Selectors;
use crate::event::{Event, journal};
use crate::foreign_text::clean;
use crate::problem::Problem;
use crate::secret::ExposeSecret;

/// The next step where a file of ours cannot be written.
const FOLDER_STEP: &str = "check the owner of the folder, and that its file system is neither full nor read-only";

/// Why tokens are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The daemon has started: what it knows is what the run before has left, and every file is as it should be afterwards.
    Start,
    /// The rules were read again: a file that the administrator has removed is one for which he wants a new token.
    Reload,
}

/// Tokens that are accepted, and what keeps programs from others.
#[derive(Debug)]
pub struct Layout {
    /// The tokens.
    pub tokens: Tokens,
    /// Each token or file that is missing, with cause and next step.
    pub problems: Vec<Problem>,
}

/// Lays out a token for each of `recipients` in `folder`, keeping those of `known` that are for the same people, and removes
/// every other file there. What cannot be laid out is a problem; everything else stands.
pub fn lay_out(folder: &Path, recipients: Vec<Recipient>, known: &Tokens, occasion: Occasion) -> Layout {
    let mut problems = Vec::new();
    let prepared = prepare(folder, known);
    if let Err(error) = &prepared {
        let message = format!(
            "the folder of the token files cannot be made or written: {}",
            place(folder, error)
        );
        problems.push(Problem::configuration(message).next(FOLDER_STEP));
    }
    let mut tokens: Vec<Token> = Vec::new();
    for recipient in recipients {
        let selectors = recipient.selectors.clone();
        let kept = known.own(&selectors, recipient.reader).cloned();
        let outcome = match (&recipient.token_file, &prepared) {
            (Some(path), _) => given_token(path, &recipient, &tokens),
            // Said once for all of them. Programs that have such a token already can go on.
            (None, Err(_)) => {
                tokens.extend(kept);
                continue;
            }
            (None, Ok(())) => own_token(&recipient, folder, kept.as_ref(), occasion, &tokens),
        };
        match outcome {
            Ok(token) => tokens.push(token),
            Err(problem) => {
                let message = format!("there is no token for {selectors}: {}", problem.message);
                let mend = problem.next_step.unwrap_or_else(|| "mend it".to_owned());
                problems.push(Problem::configuration(message).next(format!("{mend}; then: systemctl reload gatepost")));
                // At a start the old token stays good, because programs have it. At a reload the administrator may have
                // removed its file, so that it opens nothing any more.
                let is_good = |token: &Token| occasion == Occasion::Start || token.has_no_file();
                tokens.extend(kept.filter(|token| recipient.token_file.is_none() && is_good(token)));
            }
        }
    }
    let tokens = Tokens::new(tokens);
    for stale in entries(folder).filter(|path| !tokens.files().any(|file| file == path)) {
        // What cannot be removed holds no token of ours that still opens anything.
        let _ = fs::remove_file(stale);
    }
    let about = |problem: Problem| problem.about(Event::LoopbackTokenFile);
    Layout {
        tokens,
        problems: problems.into_iter().map(about).collect(),
    }
}

/// Removes every token file. Whoever had the port meanwhile may have been shown what is in them.
pub fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            journal!(
                Level::Error, Event::LoopbackTokenFile;
                "loopback: old token files in {} cannot be removed, and open nothing: {error}", folder.display()
            );
        }
        _ => {}
    }
}

/// The token in a file of the administrator's.
fn given_token(path: &Path, recipient: &Recipient, others: &[Token]) -> Result<Token, Problem> {
    let value = secret_file::read(path)?;
    let same = others.iter().find(|other| other.is(value.expose_secret().as_bytes()));
    match same {
        Some(other) => {
            let message = format!(
                "{} holds the same token as that for {}",
                path.display(),
                other.selectors
            );
            Err(Problem::configuration(message).next("give each of them a token of its own"))
        }
        None => Ok(Token::given(
            recipient.selectors.clone(),
            recipient.reader,
            path.to_owned(),
            value,
        )),
    }
}

/// A token of gatepost's own, in a file that its reader can read. `kept` is the one that there was before.
fn own_token(
    recipient: &Recipient,
    folder: &Path,
    kept: Option<&Token>,
    occasion: Occasion,
    others: &[Token],
) -> Result<Token, Problem> {
    let selectors = &recipient.selectors;
    let file = path_for(selectors, folder, others);
    let token = match (kept, occasion) {
        (Some(token), Occasion::Reload) if may_be_in_place(token) => return Ok(token.clone()),
        (Some(token), _) if occasion == Occasion::Start || token.has_no_file() => {
            let token = token.in_file(file);
            if is_in_place(&token) {
                return Ok(token);
            }
            token
        }
        _ => Token::new(selectors.clone(), recipient.reader, file).map_err(Problem::configuration)?,
    };
    match write(&token) {
        Ok(()) => Ok(token),
        Err(error) => {
            let message = format!("its file cannot be written: {}", place(&token.file, &error));
            Err(Problem::configuration(message).next(FOLDER_STEP))
        }
    }
}

/// A path, and what the system said about it.
fn place(path: &Path, error: &io::Error) -> String {
    format!("{}: {}", path.display(), clean(error))
}

/// An empty folder of our own at the first time, whatever was there: it could be a link to somewhere else.
fn prepare(folder: &Path, known: &Tokens) -> io::Result<()> {
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

fn path_for(selectors: &Selectors, folder: &Path, others: &[Token]) -> PathBuf {
    let path = folder.join(name(selectors));
    match others.iter().any(|other| other.file == path) {
        // Two names that differ in what a file's name cannot show.
        true => folder.join(format!("{}-{}", name(selectors), others.len())),
        false => path,
    }
}

/// Whether the token's file is there and holds it. Programs may have it open, and a unit a copy: it is not written again.
fn is_in_place(token: &Token) -> bool {
    let is_file = fs::symlink_metadata(&token.file).is_ok_and(|found| found.is_file());
    is_file && fs::read(&token.file).is_ok_and(|content| token.is(&Zeroizing::new(content)))
}

/// The same for a file that its reader owns, and that may be unreadable to us.
fn may_be_in_place(token: &Token) -> bool {
    let is_file = fs::symlink_metadata(&token.file).is_ok_and(|found| found.is_file());
    let is_hidden = || matches!(File::open(&token.file), Err(error) if error.kind() == ErrorKind::PermissionDenied);
    is_file && (is_in_place(token) || is_hidden())
}

/// Under another name first, which must not exist and so is no link, then renamed, which replaces a link and does not
/// follow it. Nobody ever sees half a token or one that others could still read.
fn write(token: &Token) -> io::Result<()> {
    let draft = token.file.with_extension("draft");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o400).open(&draft)?;
    let given = file
        .write_all(token.value().expose_secret().as_bytes())
        .and_then(|()| give(&file, token.reader))
        .and_then(|()| fs::rename(&draft, &token.file));
    if given.is_err() {
        // It is reported that there is none; the rest of one is of no use.
        let _ = fs::remove_file(&draft);
    }
    given
}

/// Makes the reader the file's owner, which takes a privilege, or else lets it read by an access control list.
fn give(file: &File, reader: Reader) -> io::Result<()> {
    let owned = match reader {
        Reader::Nobody => return Ok(()),
        Reader::User(uid) if uid == rustix::process::geteuid().as_raw() => return Ok(()),
        Reader::User(uid) => fchown(file, Some(uid), None),
        Reader::Group(gid) => {
            fchown(file, None, Some(gid)).and_then(|()| file.set_permissions(Permissions::from_mode(0o440)))
        }
    };
    match owned {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => acl::let_read(file, reader),
        owned => owned,
    }
}

/// `user-camera`, `uid-1000+unit-camera.service`
fn name(selectors: &Selectors) -> String {
    let plain = |c: char| match c {
        ' ' => '-',
        ',' => '+',
        c if c.is_ascii_alphanumeric() || "-_.@:".contains(c) => c,
        _ => '_',
    };
    let words = selectors.to_string().replace(", ", ",");
    words.chars().map(plain).take(200).collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path()))
}

#[cfg(test)]
mod tests;
