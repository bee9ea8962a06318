//! The CA's private key, in software or in a token.

use rcgen::{KeyPair, PublicKeyData, SigningKey};

use super::key_kind::KeyKind;
use super::pkcs11::Pkcs11Key;
use crate::error::Error;

/// AlgorithmIdentifier of ecdsa-with-SHA256.
const ECDSA_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// AlgorithmIdentifier of ecdsa-with-SHA384.
const ECDSA_SHA384: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// AlgorithmIdentifier of sha256WithRSAEncryption.
const RSA_SHA256: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
];

/// The CA's private key.
#[derive(Debug)]
pub struct CaKey {
    kind: KeyKind,
    key_info: Vec<u8>,
    holder: Holder,
}

#[derive(Debug)]
enum Holder {
    Software(Box<KeyPair>),
    Token(Box<Pkcs11Key>),
}

impl CaKey {
    /// Creates a key from one in memory, for instance read from a PEM file.
    ///
    /// # Errors
    /// If it is none of EC P-256, EC P-384 and RSA.
    pub fn software(pair: KeyPair) -> Result<Self, Error> {
        let key_info = pair.subject_public_key_info();
        Ok(Self {
            kind: KeyKind::of(&key_info)?,
            key_info,
            holder: Holder::Software(Box::new(pair)),
        })
    }

    /// Creates a key from one in a token, whose public key is `key_info` (DER).
    ///
    /// # Errors
    /// If it is none of EC P-256, EC P-384 and RSA.
    pub fn token(key: Pkcs11Key, key_info: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            kind: KeyKind::of(key_info)?,
            key_info: key_info.to_owned(),
            holder: Holder::Token(Box::new(key)),
        })
    }

    /// Returns the public key as SubjectPublicKeyInfo (DER).
    #[must_use]
    pub fn key_info(&self) -> &[u8] {
        &self.key_info
    }

    pub(crate) fn signature_algorithm(&self) -> &'static [u8] {
        match self.kind {
            KeyKind::EcP256 => ECDSA_SHA256,
            KeyKind::EcP384 => ECDSA_SHA384,
            KeyKind::Rsa => RSA_SHA256,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.holder {
            Holder::Software(pair) => pair
                .sign(message)
                .map_err(|error| Error::Ca(format!("signing: {error}"))),
            Holder::Token(key) => key.sign(self.kind, message),
        }
    }
}
