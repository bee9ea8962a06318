//! Files with one secret for a server: read when the secret is sent, wiped afterwards.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::secret::SecretString;

/// Longer secrets do not fit into the header of some servers.
const MAX_SECRET: usize = 1024;

/// The file of a secret.
#[derive(Clone, Debug)]
pub(super) struct SecretFile(Option<PathBuf>);

impl SecretFile {
    /// Returns `configured`, or else the systemd credential with this name in the folder `credentials`.
    pub(super) fn new(configured: Option<&Path>, credentials: Option<&Path>, name: &str) -> Self {
        let credential = || credentials.map(|folder| folder.join(name));
        Self(configured.map(Path::to_owned).or_else(credential))
    }

    /// Returns whether there is a secret. It may be taken away once it was used.
    pub(super) fn exists(&self) -> bool {
        self.0.as_ref().is_some_and(|path| path.exists())
    }

    /// Reads the secret, which one line break may follow.
    ///
    /// # Errors
    /// If the file has nothing that can be a secret; with the reason.
    pub(super) fn read(&self) -> Result<SecretString, String> {
        let path = self.0.as_deref().ok_or_else(|| "there is none".to_owned())?;
        let shown = path.display();
        let cannot_read = |error| format!("{shown} cannot be read: {error}");
        let file = File::open(path).map_err(cannot_read)?;
        // All of it at once: a buffer that grows would leave copies behind.
        let mut content = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 3));
        file.take(MAX_SECRET as u64 + 3)
            .read_to_end(&mut content)
            .map_err(cannot_read)?;
        let line = content.strip_suffix(b"\n").unwrap_or(&content);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = str::from_utf8(line)
            .ok()
            .filter(|text| !text.contains(char::is_control));
        match text {
            Some(text) if (1..=MAX_SECRET).contains(&text.len()) => Ok(SecretString::from(text)),
            _ => Err(format!("{shown} is not one line of 1 to {MAX_SECRET} characters")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::ExposeSecret as _;

    const NAME: &str = "a-secret";

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
            let secret = SecretFile::new(Some(&path), None, NAME);
            assert!(secret.exists());
            match (secret.read(), expected) {
                (Ok(found), Some(expected)) => assert_eq!(found.expose_secret(), expected),
                (Err(why), None) => assert!(!why.contains("hunter"), "{content}"),
                (found, _) => panic!("{content:?}: {}", found.is_ok()),
            }
        }
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(SecretFile::new(Some(&path), None, NAME).read().is_err());
        let credential = folder.path().join(NAME);
        std::fs::write(&credential, "handed over").unwrap();
        let handed_over = SecretFile::new(None, Some(folder.path()), NAME);
        assert_eq!(handed_over.read().unwrap().expose_secret(), "handed over");
        for none in [
            SecretFile::new(None, None, NAME),
            SecretFile::new(Some(&folder.path().join("none")), None, NAME),
        ] {
            assert!(!none.exists() && none.read().is_err());
        }
    }
}
