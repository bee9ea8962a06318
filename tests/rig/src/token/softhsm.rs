//! SoftHSM 2, which stores a token as a folder of files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

use super::files::{find_module, write_pin_file};
use super::interface::Token;
use crate::command;

/// The security officer's PIN, which is needed only to initialise a token.
const SO_PIN: &str = "security-officer";

/// A private SoftHSM token. It never locks, because SoftHSM does not count wrong PINs (use [`super::Tpm`] for that).
#[derive(Debug)]
pub struct SoftHsm {
    folder: TempDir,
    module: PathBuf,
    pin_file: PathBuf,
    label: String,
    pin: String,
}

impl SoftHsm {
    /// Creates an empty token.
    ///
    /// # Errors
    /// If SoftHSM is not installed, or refuses the label or the PIN (4 to 255 characters).
    pub fn new(label: &str, pin: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepost-softhsm-").tempdir()?;
        // The file is named explicitly because bookworm's /etc/softhsm is closed to others (root:softhsm 0750).
        let tokens = folder.path().join("tokens");
        fs::create_dir(&tokens)?;
        let config = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(folder.path().join("softhsm2.conf"), config)?;
        let pin_file = folder.path().join("pin");
        write_pin_file(&pin_file, pin)?;
        let module = find_module("softhsm/libsofthsm2.so", "softhsm2")?;
        let token = Self {
            folder,
            module,
            pin_file,
            label: label.to_owned(),
            pin: pin.to_owned(),
        };
        token.initialize(label)?;
        Ok(token)
    }

    /// Adds another token to the same module, with the same PIN. Its label may be the same as well.
    ///
    /// # Errors
    /// If SoftHSM refuses.
    pub fn add_token(&self, label: &str) -> Result<()> {
        self.initialize(label)
    }

    /// Imports the key pair in a PEM file; `id` is in hexadecimal.
    ///
    /// # Errors
    /// If openssl cannot read the file, or SoftHSM refuses the key.
    pub fn import(&self, pem: &Path, label: &str, id: &str) -> Result<()> {
        let converted = self.folder.path().join("import.pem");
        let mut openssl = command::command("openssl");
        openssl.args(["pkcs8", "-topk8", "-nocrypt", "-in"]).arg(pem);
        command::run(openssl.arg("-out").arg(&converted), "openssl")?;
        let mut tool = command::command("softhsm2-util");
        tool.envs(self.env()).arg("--import").arg(&converted);
        tool.args(["--token", &self.label, "--pin", &self.pin, "--label", label, "--id", id]);
        command::run(&mut tool, "softhsm2")?;
        Ok(fs::remove_file(converted)?)
    }

    /// Removes all tokens, as if they were unplugged. Their content is lost.
    ///
    /// # Errors
    /// If the files cannot be removed.
    pub fn remove_tokens(&self) -> Result<()> {
        let tokens = self.tokens();
        fs::remove_dir_all(&tokens)?;
        Ok(fs::create_dir(&tokens)?)
    }

    /// Returns the folder with the content of the tokens.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    fn initialize(&self, label: &str) -> Result<()> {
        let mut tool = command::command("softhsm2-util");
        tool.envs(self.env()).args([
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            SO_PIN,
            "--pin",
            &self.pin,
        ]);
        command::run(&mut tool, "softhsm2").map(drop)
    }
}

/// A copy of the files of a token.
///
/// SoftHSM rewrites a token's file at each login (`Token::loginUser` sets its flags), and a process that is killed meanwhile leaves a token
/// that cannot be read any more. Hardware does not do that, so a test that kills often restores the copy.
#[derive(Debug)]
pub struct TokenCopy {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl TokenCopy {
    /// Copies everything in [`SoftHsm::tokens`].
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn of(tokens: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for token in fs::read_dir(tokens)? {
            for file in fs::read_dir(token?.path())? {
                let path = file?.path();
                files.push((path.clone(), fs::read(path)?));
            }
        }
        Ok(Self { files })
    }

    /// Restores the files. No program may have the token open.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn put_back(&self) -> Result<()> {
        for (path, content) in &self.files {
            fs::write(path, content)?;
        }
        Ok(())
    }
}

impl Token for SoftHsm {
    fn module(&self) -> &Path {
        &self.module
    }

    fn env(&self) -> Vec<(String, String)> {
        let config = self.folder.path().join("softhsm2.conf");
        vec![("SOFTHSM2_CONF".to_owned(), config.to_string_lossy().into_owned())]
    }

    fn label(&self) -> &str {
        &self.label
    }

    fn pin(&self) -> &str {
        &self.pin
    }

    fn pin_file(&self) -> &Path {
        &self.pin_file
    }
}
