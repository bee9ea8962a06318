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
use crate::problem::Problem;
use crate::secret::ExposeSecret;

/// Why tokens are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The daemon has started: what it knows is what the run before has left, and every file is as it should be afterwards.
    Start,
    /// The rules were read again: a file that the administrator has removed is one for which he wants a new token.
    Reload,
}

/// Lays out a token for each of `recipients` in `folder`, keeping those of `known` that are for the same people, and removes
/// every other file there.
///
/// # Errors
/// When the folder cannot be written. A file that cannot be given to its reader is reported and left out; the others stand.
pub fn lay_out(
    folder: &Path,
    recipients: Vec<Recipient>,
    known: &Tokens,
    occasion: Occasion,
) -> Result<Tokens, Problem> {
    prepare(folder, known).map_err(|error| {
        Problem::configuration(format!(
            "the folder {} cannot be made or written: {error}",
            folder.display()
        ))
        .next("check the owner of the folder, and that its file system is neither full nor read-only")
    })?;
    let mut tokens: Vec<Token> = Vec::new();
    for recipient in recipients {
        let selectors = recipient.selectors.clone();
        match token_for(recipient, folder, known, occasion, &tokens) {
            Ok(token) => tokens.push(token),
            Err(why) => journal!(
                Level::Error, Event::LoopbackTokenFile;
                "loopback: there is no token for {selectors}: {why}; next: mend it, then: systemctl reload gatepost"
            ),
        }
    }
    let tokens = Tokens::new(tokens);
    for stale in entries(folder).filter(|path| !tokens.files().any(|file| file == path)) {
        // What cannot be removed holds no token of ours that still opens anything.
        let _ = fs::remove_file(stale);
    }
    Ok(tokens)
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

fn token_for(
    recipient: Recipient,
    folder: &Path,
    known: &Tokens,
    occasion: Occasion,
    others: &[Token],
) -> Result<Token, String> {
    let Recipient {
        selectors,
        reader,
        token_file,
    } = recipient;
    if let Some(path) = token_file {
        let value = secret_file::read(&path)?;
        let same = others.iter().find(|other| other.is(value.expose_secret().as_bytes()));
        return match same {
            Some(other) => Err(format!(
                "{} holds the same token as that for {}",
                path.display(),
                other.selectors
            )),
            None => Ok(Token::given(selectors, reader, path, value)),
        };
    }
    let kept = known
        .of(&selectors)
        .filter(|token| token.reader == reader && !token.is_given);
    match (kept, occasion) {
        (Some(token), Occasion::Reload) if may_be_in_place(token) => Ok(token.clone()),
        (Some(token), _) if occasion == Occasion::Start || token.has_no_file() => {
            let token = token.in_file(path_for(&selectors, folder, others));
            match is_in_place(&token) {
                true => Ok(token),
                false => written(token),
            }
        }
        _ => {
            let file = path_for(&selectors, folder, others);
            written(Token::new(selectors, reader, file)?)
        }
    }
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

fn written(token: Token) -> Result<Token, String> {
    match write(&token) {
        Ok(()) => Ok(token),
        Err(error) => Err(format!("{}: {error}", token.file.display())),
    }
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
