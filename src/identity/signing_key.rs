//! Signs with the key in the token, for rustls and rcgen.

use std::path::Path;
use std::sync::Arc;

use rcgen::PublicKeyData;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::key_choice::choose_key;
use crate::token::{FoundKey, Hash, KeyAlgorithm, NamedKey, PublicKey, Scheme, Token, TokenError};

/// A handle to the key. The token thread makes every signature.
#[derive(Clone, Debug)]
pub struct TokenKey {
    token: Token,
    found: FoundKey,
}

impl TokenKey {
    /// Creates a handle to a key that was found in the token.
    pub fn new(token: Token, found: FoundKey) -> Self {
        Self { token, found }
    }

    /// Returns the name by which it was found.
    pub fn name(&self) -> &NamedKey {
        &self.found.name
    }

    /// Returns the public key.
    pub fn public(&self) -> &PublicKey {
        &self.found.public
    }

    /// Returns whether the token still has this key.
    pub fn is_in_token(&self) -> bool {
        let keys = self.token.device_keys();
        let keys = keys.borrow();
        keys.iter().any(|found| found.public.is_same_key(self.public()))
    }

    /// Returns the device's key that the certificate in this file is for; without a certificate the first one.
    pub(super) fn of_certificate(&self, path: &Path) -> Option<Self> {
        let keys = self.token.device_keys();
        let found = choose_key(path, &keys.borrow()).cloned()?;
        Some(Self::new(self.token.clone(), found))
    }

    /// Signs a certificate signing request, with SHA-384 if the key is P-384, and with SHA-256 otherwise.
    ///
    /// # Errors
    /// If the token does not sign.
    pub fn sign_request(&self, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let scheme = match self.public().algorithm {
            KeyAlgorithm::EcP256 => Scheme::Ecdsa(Hash::Sha256),
            KeyAlgorithm::EcP384 => Scheme::Ecdsa(Hash::Sha384),
            KeyAlgorithm::Rsa(_) => Scheme::RsaPkcs1(Hash::Sha256),
        };
        self.token.sign(&self.found, scheme, message)
    }

    /// Returns the schemes in which the key signs in a TLS handshake, the preferred first.
    fn schemes(&self) -> &'static [(SignatureScheme, Scheme)] {
        const PSS: [(SignatureScheme, Scheme); 3] = [
            (SignatureScheme::RSA_PSS_SHA256, Scheme::RsaPss(Hash::Sha256)),
            (SignatureScheme::RSA_PSS_SHA384, Scheme::RsaPss(Hash::Sha384)),
            (SignatureScheme::RSA_PSS_SHA512, Scheme::RsaPss(Hash::Sha512)),
        ];
        const PKCS1: [(SignatureScheme, Scheme); 3] = [
            (SignatureScheme::RSA_PKCS1_SHA256, Scheme::RsaPkcs1(Hash::Sha256)),
            (SignatureScheme::RSA_PKCS1_SHA384, Scheme::RsaPkcs1(Hash::Sha384)),
            (SignatureScheme::RSA_PKCS1_SHA512, Scheme::RsaPkcs1(Hash::Sha512)),
        ];
        const BOTH: [(SignatureScheme, Scheme); 6] = [PSS[0], PSS[1], PSS[2], PKCS1[0], PKCS1[1], PKCS1[2]];
        match (self.public().algorithm, self.public().pss) {
            (KeyAlgorithm::EcP256, _) => &[(SignatureScheme::ECDSA_NISTP256_SHA256, Scheme::Ecdsa(Hash::Sha256))],
            (KeyAlgorithm::EcP384, _) => &[(SignatureScheme::ECDSA_NISTP384_SHA384, Scheme::Ecdsa(Hash::Sha384))],
            (KeyAlgorithm::Rsa(_), true) => &BOTH,
            (KeyAlgorithm::Rsa(_), false) => &PKCS1,
        }
    }

    /// Returns whether the key can sign in TLS 1.3, which allows only PSS with RSA (RFC 8446, 4.2.3).
    pub(super) fn can_tls13(&self) -> bool {
        !matches!(self.public().algorithm, KeyAlgorithm::Rsa(_)) || self.public().pss
    }
}

/// Keys are equal if their public keys are, including the schemes that they support.
impl PartialEq for TokenKey {
    fn eq(&self, other: &Self) -> bool {
        self.public() == other.public()
    }
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let (negotiated, scheme) = self.schemes().iter().find(|(scheme, _)| offered.contains(scheme))?;
        Some(Box::new(TokenSigner {
            key: self.clone(),
            negotiated: *negotiated,
            scheme: *scheme,
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.public().subject_public_key_info()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.public().algorithm {
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 => SignatureAlgorithm::ECDSA,
            KeyAlgorithm::Rsa(_) => SignatureAlgorithm::RSA,
        }
    }
}

/// The signer of one handshake. rustls signs synchronously, which blocks the cloud thread and no other.
#[derive(Debug)]
struct TokenSigner {
    key: TokenKey,
    negotiated: SignatureScheme,
    scheme: Scheme,
}

impl Signer for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key
            .token
            .sign(&self.key.found, self.scheme, message)
            .map_err(|error| Error::Other(rustls::OtherError(Arc::new(error.problem().clone()))))
    }

    fn scheme(&self) -> SignatureScheme {
        self.negotiated
    }
}

/// The key for a request of rcgen. It keeps the error of the token, which an error of rcgen cannot hold.
pub(super) struct RequestKey<'a> {
    key: &'a TokenKey,
    failure: std::cell::RefCell<Option<TokenError>>,
}

impl<'a> RequestKey<'a> {
    pub(super) fn new(key: &'a TokenKey) -> Self {
        Self {
            key,
            failure: std::cell::RefCell::new(None),
        }
    }

    pub(super) fn into_failure(self) -> Option<TokenError> {
        self.failure.into_inner()
    }
}

impl PublicKeyData for RequestKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.public().der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.key.public().algorithm()
    }
}

impl rcgen::SigningKey for RequestKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign_request(message).map_err(|error| {
            self.failure.replace(Some(error));
            rcgen::Error::RemoteKeyError
        })
    }
}
