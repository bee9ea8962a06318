//! The PIN: read when a login needs it, wiped when the login is done.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use log::Level;
use nix::unistd::{Uid, User};
use zeroize::Zeroizing;

use super::error::TokenError;
use crate::event::{Event, journal};
use crate::problem::{Exit, Problem};
use crate::secret::SecretString;

/// The name under which systemd hands the PIN over (`LoadCredential=pin:...`).
const SYSTEMD_CREDENTIAL: &str = "pin";

/// Where the PIN is.
#[derive(Clone, Debug)]
pub struct PinSource(Option<PathBuf>);

impl PinSource {
    /// `pin_file` where it is configured, else the systemd credential `pin` in `credentials`.
    pub fn new(pin_file: Option<&Path>, credentials: Option<&Path>) -> Self {
        Self(
            pin_file
                .map(Path::to_owned)
                .or_else(|| credentials.map(|folder| folder.join(SYSTEMD_CREDENTIAL))),
        )
    }

    /// Reads the PIN, without the line break that editors put at its end.
    pub(super) fn read(&self) -> Result<SecretString, TokenError> {
        let Some(path) = &self.0 else {
            return Err(unreadable(
                "the token asks for a PIN, and none is configured".to_owned(),
            ));
        };
        warn_if_exposed(path);
        let bytes = fs::read(path)
            .map(Zeroizing::new)
            .map_err(|error| unreadable(format!("the PIN file {} cannot be read: {error}", path.display())))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| unreadable(format!("the PIN file {} is not UTF-8", path.display())))?;
        let pin = text.strip_suffix('\n').unwrap_or(text);
        let pin = pin.strip_suffix('\r').unwrap_or(pin);
        match pin {
            "" => Err(unreadable(format!("the PIN file {} is empty", path.display()))),
            pin => Ok(pin.into()),
        }
    }
}

fn unreadable(message: String) -> TokenError {
    let step =
        "write the PIN into the file that token.pin-file names, or hand it over as the systemd credential \"pin\"";
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
        for (written, pin) in [("1234\n", "1234"), ("1234", "1234"), ("12 34 \r\n", "12 34 ")] {
            fs::write(&path, written).unwrap();
            let read = PinSource::new(Some(&path), None).read().unwrap();
            assert_eq!(read.expose_secret(), pin);
            assert!(!format!("{read:?}").contains("12"));
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
