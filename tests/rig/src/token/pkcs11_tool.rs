//! OpenSC's pkcs11-tool, which verifies independently what is in a token.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::key_kind::KeyKind;
use crate::command;

const PACKAGE: &str = "opensc";

/// Returns pkcs11-tool's name for a kind of key.
pub(super) fn key_type(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::EcP256 => "EC:prime256v1",
        KeyKind::EcP384 => "EC:secp384r1",
        KeyKind::Rsa2048 => "rsa:2048",
        KeyKind::Rsa3072 => "rsa:3072",
    }
}

/// pkcs11-tool for one token.
#[derive(Debug)]
pub struct Pkcs11Tool {
    module: PathBuf,
    env: Vec<(String, String)>,
    label: String,
}

/// A token's reaction to a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The PIN was right.
    Accepted,
    /// `CKR_PIN_INCORRECT`.
    Incorrect,
    /// `CKR_PIN_LOCKED`: even the right PIN is refused.
    Locked,
    /// Another error, as pkcs11-tool prints it.
    Other(String),
}

impl Pkcs11Tool {
    pub(super) fn new(module: &Path, env: Vec<(String, String)>, label: &str) -> Self {
        Self {
            module: module.to_owned(),
            env,
            label: label.to_owned(),
        }
    }

    /// Runs pkcs11-tool on the token, logged in with `pin`, and returns what it printed.
    pub(super) fn run(&self, pin: &str, args: &[&str]) -> Result<String> {
        command::run(self.command(pin).args(args), PACKAGE)
    }

    /// Runs pkcs11-tool on the token and returns what it wrote to its output file.
    pub(super) fn file_from(&self, pin: &str, args: &[&str]) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("output");
        command::run(self.command(pin).args(args).arg("--output-file").arg(&file), PACKAGE)?;
        Ok(fs::read(file)?)
    }

    /// Signs the SHA-256 of `message`. By id: pkcs11-tool 0.23 ignores the label when it signs.
    pub(super) fn sign_ecdsa(&self, pin: &str, id: &str, message: &Path) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir()?;
        let digest = folder.path().join("digest");
        command::run(
            command::command("openssl")
                .args(["dgst", "-sha256", "-binary", "-out"])
                .arg(&digest)
                .arg(message),
            "openssl",
        )?;
        let digest = digest.to_string_lossy();
        self.file_from(
            pin,
            &["--sign", "--mechanism", "ECDSA", "--id", id, "--input-file", &digest],
        )
    }

    /// Tries one login. pkcs11-tool ends with 1 whatever went wrong; the name of the `CKR_` is in its message.
    pub(super) fn login(&self, pin: &str) -> Result<Login> {
        let output = command::output(self.command(pin).arg("--list-objects"), PACKAGE)?;
        if output.status.success() {
            return Ok(Login::Accepted);
        }
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(if message.contains("CKR_PIN_INCORRECT") {
            Login::Incorrect
        } else if message.contains("CKR_PIN_LOCKED") {
            Login::Locked
        } else {
            Login::Other(message)
        })
    }

    fn command(&self, pin: &str) -> Command {
        let mut tool = command::command("pkcs11-tool");
        tool.envs(self.env.iter().cloned()).arg("--module").arg(&self.module);
        tool.args(["--token-label", &self.label, "--login", "--pin", pin]);
        tool
    }
}
