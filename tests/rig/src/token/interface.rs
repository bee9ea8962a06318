//! The interface of all tokens.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::key_kind::KeyKind;
use super::object::{self, Class, Object};
use super::pkcs11_tool::{self, Login, Pkcs11Tool};

/// A token of any kind. All operations use OpenSC's pkcs11-tool, so that an independent program verifies what gatepost
/// reports about a token.
pub trait Token {
    /// Returns the path of the PKCS#11 module.
    fn module(&self) -> &Path;
    /// Returns the environment in which the module finds this token.
    fn env(&self) -> Vec<(String, String)>;
    /// Returns the token's label.
    fn label(&self) -> &str;
    /// Returns the user PIN.
    fn pin(&self) -> &str;
    /// Returns the path of a file with the PIN and a newline, readable only by its owner.
    fn pin_file(&self) -> &Path;

    /// Returns a pkcs11-tool command for this token.
    #[doc(hidden)]
    fn tool(&self) -> Pkcs11Tool {
        Pkcs11Tool::new(self.module(), self.env(), self.label())
    }

    /// Returns the RFC 7512 URI of the object with the label `object`. Both labels must need no escaping.
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
        self.tool().run(self.pin(), &args).map(drop)
    }

    /// Lists all objects in the token, including private ones.
    ///
    /// # Errors
    /// If pkcs11-tool is missing or the token refuses.
    fn objects(&self) -> Result<Vec<Object>> {
        Ok(object::parse(&self.tool().run(self.pin(), &["--list-objects"])?))
    }

    /// Deletes every object in the token; the token itself stays.
    ///
    /// # Errors
    /// If pkcs11-tool is missing or the token refuses.
    fn delete_all(&self) -> Result<()> {
        for object in self.objects()? {
            let args = ["--delete-object", "--type", object.class.word(), "--id", &object.id];
            self.tool().run(self.pin(), &args)?;
        }
        Ok(())
    }

    /// Deletes one object of the pair with this `id`, or a certificate.
    ///
    /// # Errors
    /// If there is no such object.
    fn delete(&self, class: Class, id: &str) -> Result<()> {
        let args = ["--delete-object", "--type", class.word(), "--id", id];
        self.tool().run(self.pin(), &args).map(drop)
    }

    /// Returns the public key of the pair with this `id`, as the DER of its SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// If there is no such key.
    fn public_key(&self, id: &str) -> Result<Vec<u8>> {
        self.tool()
            .file_from(self.pin(), &["--read-object", "--type", "pubkey", "--id", id])
    }

    /// Signs `message` with ECDSA over SHA-256 (the hash is computed outside of the token); returns r and s.
    ///
    /// # Errors
    /// If there is no such key or the token refuses.
    fn sign_ecdsa(&self, id: &str, message: &Path) -> Result<Vec<u8>> {
        self.tool().sign_ecdsa(self.pin(), id, message)
    }

    /// Tries one login with `pin`, which counts as an attempt.
    ///
    /// # Errors
    /// If pkcs11-tool is missing.
    fn login(&self, pin: &str) -> Result<Login> {
        self.tool().login(pin)
    }
}

/// A token that a test shares with its gateway, so that the test can change it while the gateway runs.
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
