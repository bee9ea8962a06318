//! Reads the PIN when a login needs it. It is wiped after the login.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use log::Level;
use nix::unistd::{Uid, User};
use zeroize::Zeroizing;

use super::error::TokenError;
use super::pin_content::{MAX_PIN, extract_pin};
use super::pin_helper::{Decrypted, PinHelper};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::secret::SecretString;

/// The name of the systemd credential with the PIN (`LoadCredential=pin:...`).
const SYSTEMD_CREDENTIAL: &str = "pin";

/// The source of the PIN.
#[derive(Clone, Debug)]
pub struct PinSource {
    /// The file, if one is configured or passed by systemd.
    file: Option<PathBuf>,
    /// The helper that is asked if systemd has passed no credential.
    helper: Option<PinHelper>,
}

impl PinSource {
    /// Creates a source that reads `pin_file` if it is configured, or else the systemd credential `pin` in `credentials`.
    pub fn new(pin_file: Option<&Path>, credentials: Option<&Path>) -> Self {
        let credential = || credentials.map(|folder| folder.join(SYSTEMD_CREDENTIAL));
        Self {
            file: pin_file.map(Path::to_owned).or_else(credential),
            helper: None,
        }
    }

    /// Adds the helper of root, behind the socket in the folder `runtime`. It is asked if systemd has passed no credential and
    /// no PIN file is configured.
    #[must_use]
    pub fn or_ask(mut self, pin_file: Option<&Path>, runtime: &Path) -> Self {
        self.helper = pin_file.is_none().then(|| PinHelper::in_folder(runtime));
        self
    }

    /// Reads the PIN, and refuses a file that has anything else in it.
    pub(super) fn read(&self) -> Result<SecretString, TokenError> {
        if let Some(pin) = self.ask_helper()? {
            return extract(&pin, "the PIN in the encrypted credential");
        }
        let Some(path) = &self.file else {
            return Err(unreadable(
                "the token asks for a PIN, and none is configured".to_owned(),
            ));
        };
        warn_if_exposed(path);
        let content = read_bounded(path).map_err(|error| {
            let message = format!("the PIN file {} cannot be read: {error}", path.display());
            TokenError::configuration(describe_unreadable(message).caused_by(&error))
        })?;
        extract(&content, &format!("the PIN file {}", path.display()))
    }

    /// Asks the helper for the PIN, unless there is a file.
    fn ask_helper(&self) -> Result<Decrypted, TokenError> {
        let has_file = self.file.as_ref().is_some_and(|file| file.exists());
        match &self.helper {
            Some(helper) if !has_file => helper.ask(),
            _ => Ok(None),
        }
    }
}

/// Extracts the PIN from the content of `place`.
fn extract(content: &[u8], place: &str) -> Result<SecretString, TokenError> {
    extract_pin(content)
        .map(SecretString::from)
        .map_err(|fault| unreadable(format!("{place} {fault}")))
}

/// Reads up to a few times the longest PIN, and never waits for a writer of a pipe.
fn read_bounded(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    const ENOUGH: usize = 4 * MAX_PIN;
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    // Allocated at once, because a growing buffer would leave copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(ENOUGH + 1));
    file.take(ENOUGH as u64).read_to_end(&mut content)?;
    Ok(content)
}

fn unreadable(message: String) -> TokenError {
    TokenError::configuration(describe_unreadable(message))
}

fn describe_unreadable(message: String) -> Problem {
    let step = "write the PIN, and nothing else, into the file that token.pin-file names, or hand it over as the \
                systemd credential \"pin\"";
    Problem::configuration(message).next(step)
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

/// Returns the command that makes a PIN file readable for one user alone. Changing the mode alone would lock out a user who is
/// not the owner.
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
    fn only_a_limited_part_of_an_endless_file_is_read() {
        for (path, words) in [("/dev/zero", "control character"), ("/dev/null", "is empty")] {
            let source = PinSource::new(Some(Path::new(path)), None);
            let problem = source.read().unwrap_err().problem().to_string();
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn a_mistake_in_the_file_is_described_without_the_pin() {
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
    fn the_message_about_a_missing_pin_says_where_it_belongs() {
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
