//! The PIN: read when a login needs it, wiped when the login is done.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use log::Level;
use nix::unistd::{Uid, User};
use zeroize::Zeroizing;

use super::error::TokenError;
use super::pin_content::{MAX_PIN, pin_in};
use super::pin_helper::{Decrypted, PinHelper};
use crate::event::{Event, journal};
use crate::problem::{Exit, Problem};
use crate::secret::SecretString;

/// The name under which systemd hands the PIN over (`LoadCredential=pin:...`).
const SYSTEMD_CREDENTIAL: &str = "pin";

/// Where the PIN is.
#[derive(Clone, Debug)]
pub struct PinSource {
    /// The file, if there is one.
    file: Option<PathBuf>,
    /// Who is asked where that file is a credential that systemd has not been given.
    helper: Option<PinHelper>,
}

impl PinSource {
    /// `pin_file` where it is configured, else the systemd credential `pin` in `credentials`.
    pub fn new(pin_file: Option<&Path>, credentials: Option<&Path>) -> Self {
        let credential = || credentials.map(|folder| folder.join(SYSTEMD_CREDENTIAL));
        Self {
            file: pin_file.map(Path::to_owned).or_else(credential),
            helper: None,
        }
    }

    /// Has root asked, through the socket in the folder `runtime`, where systemd hands over no credential. A PIN file that is
    /// configured is the only place.
    #[must_use]
    pub fn or_ask(mut self, pin_file: Option<&Path>, runtime: &Path) -> Self {
        self.helper = pin_file.is_none().then(|| PinHelper::in_folder(runtime));
        self
    }

    /// Reads the PIN and refuses a file that holds anything else beside it.
    pub(super) fn read(&self) -> Result<SecretString, TokenError> {
        if let Some(pin) = self.decrypted()? {
            return usable(&pin, "the PIN in the encrypted credential");
        }
        let Some(path) = &self.file else {
            return Err(unreadable(
                "the token asks for a PIN, and none is configured".to_owned(),
            ));
        };
        warn_if_exposed(path);
        let content = read_bounded(path)
            .map_err(|error| unreadable(format!("the PIN file {} cannot be read: {error}", path.display())))?;
        usable(&content, &format!("the PIN file {}", path.display()))
    }

    /// The answer of root's helper, where it is to be asked and has one.
    fn decrypted(&self) -> Result<Decrypted, TokenError> {
        let handed_over = self.file.as_ref().is_some_and(|file| file.exists());
        match &self.helper {
            Some(helper) if !handed_over => helper.ask(),
            _ => Ok(None),
        }
    }
}

/// The PIN in what `place` holds.
fn usable(content: &[u8], place: &str) -> Result<SecretString, TokenError> {
    pin_in(content)
        .map(SecretString::from)
        .map_err(|fault| unreadable(format!("{place} {fault}")))
}

/// Reads a little more than any PIN is long, and does not wait for somebody to write into a pipe.
fn read_bounded(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    const ENOUGH: usize = 4 * MAX_PIN;
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    // All of it at once: a buffer that grows would leave copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(ENOUGH + 1));
    file.take(ENOUGH as u64).read_to_end(&mut content)?;
    Ok(content)
}

fn unreadable(message: String) -> TokenError {
    let step = "write the PIN, and nothing else, into the file that token.pin-file names, or hand it over as the \
                systemd credential \"pin\"";
    TokenError::Final(Exit::Configuration, Problem::configuration(message).next(step))
}

fn warn_if_exposed(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        let (owner, own) = (Uid::from_raw(metadata.uid()), Uid::effective());
        let step = match owner == own {
            true => format!("chmod 0400 {}", path.display()),
            false => give_pin_file_to(&user_name(own), path),
        };
        journal!(
            Level::Warn, Event::PinFileOpen;
            "token: the PIN file {} is open to every user (mode {mode:03o}); next: {step}",
            path.display()
        );
    }
}

/// How a PIN file becomes one user's alone: the mode by itself would take it from whoever is not its owner.
pub fn give_pin_file_to(user: &str, path: &Path) -> String {
    let path = path.display();
    format!("chown {user}: {path} && chmod 0400 {path}")
}

fn user_name(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::ExposeSecret;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_the_pin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        for (written, pin) in [("1234\n", "1234"), ("1234", "1234"), ("12 34\r\n", "12 34")] {
            fs::write(&path, written).unwrap();
            let read = PinSource::new(Some(&path), None).read().unwrap();
            assert_eq!(read.expose_secret(), pin);
            assert!(!format!("{read:?}").contains("12"));
        }
    }

    #[test]
    fn a_file_without_end_and_a_pipe_are_read_to_no_more_than_a_pin() {
        for (path, words) in [("/dev/zero", "control character"), ("/dev/null", "is empty")] {
            let source = PinSource::new(Some(Path::new(path)), None);
            let problem = source.read().unwrap_err().problem().to_string();
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn a_mistake_in_the_file_is_named_and_the_pin_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        for content in [
            "PIN=hunter2\n",
            "\"hunter2\"",
            "hunter2 \n",
            "hunter2\n\n",
            "\u{feff}hunter2",
        ] {
            fs::write(&path, content).unwrap();
            let error = PinSource::new(Some(&path), None).read().unwrap_err();
            let problem = error.problem().to_string();
            assert!(problem.contains("and nothing else"), "{problem}");
            assert!(!format!("{problem} {error:?}").contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_pin_that_cannot_be_had_says_where_it_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let sources = [
            PinSource::new(None, None),
            PinSource::new(Some(&folder.path().join("none")), None),
            PinSource::new(None, Some(folder.path())),
        ];
        for source in sources {
            let problem = source.read().unwrap_err().problem().to_string();
            assert!(problem.contains("token.pin-file"), "{problem}");
        }
    }
}
