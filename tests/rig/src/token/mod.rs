//! PKCS#11 tokens, each with its own state in a temporary folder: [`SoftHsm`] and [`Tpm`]; and a slow one and one with quirks before the first.

mod object;
mod pkcs11_tool;
mod quirks;
mod slow;
mod softhsm;
mod tpm;
mod tpm_daemons;
mod tpm_relay;

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

pub use object::{Class, Object};
pub use quirks::Quirks;
pub use slow::SlowSigner;
pub use softhsm::{SoftHsm, TokenCopy};
pub use tpm::Tpm;
pub use tpm_relay::TpmRelay;

/// A kind of key pair, in the words of gatepost's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// NIST P-256.
    EcP256,
    /// NIST P-384.
    EcP384,
    /// RSA, 2048 bits.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
}

impl KeyKind {
    /// The word for it in `[token] generate`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::EcP256 => "ec-p256",
            Self::EcP384 => "ec-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
        }
    }
}

/// What a test does with a token, whichever kind it is. All of it goes through OpenSC's pkcs11-tool, so that what
/// gatepost says about a token is checked by somebody else.
pub trait Token {
    /// The PKCS#11 module to load.
    fn module(&self) -> &Path;
    /// The environment in which the module finds this token.
    fn env(&self) -> Vec<(String, String)>;
    /// The token's label.
    fn label(&self) -> &str;
    /// The user PIN.
    fn pin(&self) -> &str;
    /// A file, for its owner only, that holds the PIN and a newline.
    fn pin_file(&self) -> &Path;

    /// The RFC 7512 URI of the object with the label `object`. Both labels must need no escaping.
    fn uri(&self, object: &str) -> String {
        format!("pkcs11:token={};object={object}", self.label())
    }

    /// Generates a key pair inside the token; `id` is in hexadecimal.
    ///
    /// # Errors
    /// If pkcs11-tool is missing or the token refuses.
    fn generate(&self, kind: KeyKind, label: &str, id: &str) -> Result<()> {
        let kind = pkcs11_tool::key_type(kind);
        let args = ["--keypairgen", "--key-type", kind, "--label", label, "--id", id];
        pkcs11_tool::run(self, self.pin(), &args).map(drop)
    }

    /// Lists what the token holds, private objects included.
    ///
    /// # Errors
    /// If pkcs11-tool is missing or the token refuses.
    fn objects(&self) -> Result<Vec<Object>> {
        Ok(object::parse(&pkcs11_tool::run(self, self.pin(), &["--list-objects"])?))
    }

    /// Deletes every object in the token; the token itself stays.
    ///
    /// # Errors
    /// If pkcs11-tool is missing or the token refuses.
    fn delete_all(&self) -> Result<()> {
        for object in self.objects()? {
            let args = ["--delete-object", "--type", object.class.word(), "--id", &object.id];
            pkcs11_tool::run(self, self.pin(), &args)?;
        }
        Ok(())
    }

    /// The public key of the pair with this `id`, as the DER of its SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// If there is no such key.
    fn public_key(&self, id: &str) -> Result<Vec<u8>> {
        pkcs11_tool::file_from(self, &["--read-object", "--type", "pubkey", "--id", id])
    }

    /// Signs `message` with ECDSA over SHA-256 (the hash is made outside of the token); returns r and s.
    ///
    /// # Errors
    /// If there is no such key or the token refuses.
    fn sign_ecdsa(&self, id: &str, message: &Path) -> Result<Vec<u8>> {
        pkcs11_tool::sign_ecdsa(self, id, message)
    }

    /// Tries one login with `pin`, which counts as an attempt.
    ///
    /// # Errors
    /// If pkcs11-tool is missing.
    fn login(&self, pin: &str) -> Result<Login> {
        pkcs11_tool::login(self, pin)
    }
}

/// A token that a test shares with whatever else stands on it, so that it can be changed meanwhile.
impl<T: Token + ?Sized> Token for Arc<T> {
    fn module(&self) -> &Path {
        (**self).module()
    }

    fn env(&self) -> Vec<(String, String)> {
        (**self).env()
    }

    fn label(&self) -> &str {
        (**self).label()
    }

    fn pin(&self) -> &str {
        (**self).pin()
    }

    fn pin_file(&self) -> &Path {
        (**self).pin_file()
    }
}

/// How a token took a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// It was the right one.
    Accepted,
    /// `CKR_PIN_INCORRECT`.
    Incorrect,
    /// `CKR_PIN_LOCKED`: not even the right one is taken now.
    Locked,
    /// Something else, in pkcs11-tool's words.
    Other(String),
}

/// Finds a module below `/usr/lib`, whose middle part is the machine's multiarch triplet.
fn find_module(name: &str, package: &str) -> Result<PathBuf> {
    let multiarch = fs::read_dir("/usr/lib")?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let found = multiarch.map(|folder| folder.join(name)).find(|module| module.exists());
    found
        .with_context(|| format!("/usr/lib/*/{name} is missing: run `make setup-test`, or `apt-get install {package}`"))
}

/// Writes `pin` to a file that only its owner can read.
fn write_pin_file(path: &Path, pin: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    std::io::Write::write_all(&mut file, format!("{pin}\n").as_bytes())?;
    Ok(())
}
