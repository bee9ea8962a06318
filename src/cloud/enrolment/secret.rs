//! The secret for the first enrolment: read when it is sent, wiped afterwards.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::failure::{Failure, FailureKind};
use crate::problem::Problem;
use crate::secret::SecretString;

/// The name under which systemd hands the secret over (`LoadCredential=enrolment-secret:...`).
const SYSTEMD_CREDENTIAL: &str = "enrolment-secret";
/// Longer secrets do not fit into the header of some servers.
const MAX_SECRET: usize = 1024;

/// The file of a secret.
#[derive(Clone, Debug)]
pub(super) struct SecretFile(Option<PathBuf>);

impl SecretFile {
    /// `configured`, or else the systemd credential in the folder `credentials`.
    pub(super) fn new(configured: Option<&Path>, credentials: Option<&Path>) -> Self {
        let credential = || credentials.map(|folder| folder.join(SYSTEMD_CREDENTIAL));
        Self(configured.map(Path::to_owned).or_else(credential))
    }

    /// Whether there is a secret. It may be taken away once it was used.
    pub(super) fn exists(&self) -> bool {
        self.0.as_ref().is_some_and(|path| path.exists())
    }

    /// Reads the secret, which one line break may follow.
    ///
    /// # Errors
    /// When the file has nothing that can be a secret.
    pub(super) fn read(&self) -> Result<SecretString, Failure> {
        let path = self
            .0
            .as_deref()
            .ok_or_else(|| unusable("there is no secret for the EST server".to_owned()))?;
        let shown = path.display();
        let file = File::open(path).map_err(|error| unusable(format!("the secret {shown} cannot be read: {error}")))?;
        // All of it at once: a buffer that grows would leave copies behind.
        let mut content = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 3));
        file.take(MAX_SECRET as u64 + 3)
            .read_to_end(&mut content)
            .map_err(|error| unusable(format!("the secret {shown} cannot be read: {error}")))?;
        let line = content.strip_suffix(b"\n").unwrap_or(&content);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = str::from_utf8(line)
            .ok()
            .filter(|text| !text.contains(char::is_control));
        match text {
            Some(text) if (1..=MAX_SECRET).contains(&text.len()) => Ok(SecretString::from(text)),
            _ => Err(unusable(format!(
                "the secret {shown} is not one line of 1 to {MAX_SECRET} characters"
            ))),
        }
    }
}

fn unusable(message: String) -> Failure {
    Failure {
        kind: FailureKind::Refused,
        problem: Problem::configuration(message)
            .next("write the secret, and nothing else, into the file that enrolment.est.secret-file names"),
        not_before: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::ExposeSecret as _;

    #[test]
    fn one_line_is_a_secret_and_nothing_else_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let long = "x".repeat(MAX_SECRET + 1);
        for (content, expected) in [
            ("hunter2", Some("hunter2")),
            ("hunter2\n", Some("hunter2")),
            ("hunter2\r\n", Some("hunter2")),
            ("hun ter:2", Some("hun ter:2")),
            ("hünter2", Some("hünter2")),
            ("", None),
            ("\n", None),
            ("hunter2\n\n", None),
            ("hunter2\nmore\n", None),
            ("hunter2\0", None),
            (long.as_str(), None),
        ] {
            std::fs::write(&path, content).unwrap();
            let secret = SecretFile::new(Some(&path), None);
            assert!(secret.exists());
            match (secret.read(), expected) {
                (Ok(found), Some(expected)) => assert_eq!(found.expose_secret(), expected),
                (Err(failure), None) => assert!(!failure.problem.to_string().contains("hunter"), "{content}"),
                (found, _) => panic!("{content:?}: {}", found.is_ok()),
            }
        }
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(SecretFile::new(Some(&path), None).read().is_err());
        let credential = folder.path().join(SYSTEMD_CREDENTIAL);
        std::fs::write(&credential, "handed over").unwrap();
        let handed_over = SecretFile::new(None, Some(folder.path()));
        assert_eq!(handed_over.read().unwrap().expose_secret(), "handed over");
        for none in [
            SecretFile::new(None, None),
            SecretFile::new(Some(&folder.path().join("none")), None),
        ] {
            assert!(!none.exists() && none.read().is_err());
        }
    }
}
