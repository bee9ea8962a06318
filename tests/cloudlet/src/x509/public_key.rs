//! Verifies signatures with a bare public key.
//!
//! rustls-webpki refuses to parse X.509 v1, but the AWS JITP article's own `openssl x509 -req` creates v1 with OpenSSL 3.0. So signatures
//! are verified with the bare key, and the same algorithms that rustls would use.

use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{AlgorithmIdentifier, SubjectPublicKeyInfoDer, alg_id};
use rustls::{DigitallySignedStruct, PeerIncompatible, PeerMisbehaved};
use x509_parser::oid_registry::{self, Oid};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::Error;

/// A key that AWS IoT accepts in a device or CA certificate: EC P-256 or P-384, or RSA of at least 2048 bits.
#[derive(Debug, Clone)]
pub(crate) struct PublicKey {
    algorithm: AlgorithmIdentifier,
    bits: Vec<u8>,
    spki: Vec<u8>,
}

impl PublicKey {
    pub(crate) fn from_spki(spki: &SubjectPublicKeyInfo<'_>) -> Result<Self, Error> {
        let algorithm = &spki.algorithm;
        let curve = || {
            algorithm
                .parameters
                .as_ref()
                .and_then(|parameters| parameters.as_oid().ok())
        };
        let algorithm = if algorithm.algorithm == oid_registry::OID_PKCS1_RSAENCRYPTION {
            alg_id::RSA_ENCRYPTION
        } else if algorithm.algorithm == oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY {
            match curve() {
                Some(curve) if curve == oid_registry::OID_EC_P256 => alg_id::ECDSA_P256,
                Some(curve) if curve == oid_registry::OID_NIST_EC_P384 => alg_id::ECDSA_P384,
                _ => return Err(Error::Certificate("the key's curve is neither P-256 nor P-384".into())),
            }
        } else {
            return Err(Error::Certificate(format!(
                "unsupported key algorithm {}",
                algorithm.algorithm
            )));
        };
        Ok(Self {
            algorithm,
            bits: spki.subject_public_key.data.to_vec(),
            spki: spki.raw.to_vec(),
        })
    }

    /// Returns the bits of the key, without its algorithm.
    pub(super) fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Returns the algorithm of the key.
    pub(super) fn algorithm_id(&self) -> AlgorithmIdentifier {
        self.algorithm
    }

    /// Returns whether this key has signed the certificate or request with this to-be-signed part and signature.
    pub(crate) fn signed_certificate(&self, algorithm: &Oid<'_>, to_be_signed: &[u8], signature: &[u8]) -> bool {
        let Some(algorithm) = certificate_signature(algorithm) else {
            return false;
        };
        algorithms()
            .all
            .iter()
            .filter(|candidate| candidate.public_key_alg_id() == self.algorithm)
            .filter(|candidate| candidate.signature_alg_id() == algorithm)
            .any(|candidate| candidate.verify_signature(&self.bits, to_be_signed, signature).is_ok())
    }

    /// Returns whether this key has signed the CertificateVerify of a TLS 1.2 handshake.
    pub(crate) fn verify_tls12(&self, message: &[u8], signed: &DigitallySignedStruct) -> Result<(), rustls::Error> {
        let candidates = algorithms()
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .map(|(_, algorithms)| *algorithms)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let mut of_this_key = candidates
            .iter()
            .filter(|candidate| candidate.public_key_alg_id() == self.algorithm)
            .peekable();
        if of_this_key.peek().is_none() {
            return Err(PeerIncompatible::NoSignatureSchemesInCommon.into());
        }
        // TLS 1.2's scheme determines only the hash, so P-384 with SHA-256 is one of the candidates.
        if of_this_key.any(|candidate| {
            candidate
                .verify_signature(&self.bits, message, signed.signature())
                .is_ok()
        }) {
            Ok(())
        } else {
            Err(rustls::CertificateError::BadSignature.into())
        }
    }

    /// Returns whether this key has signed the CertificateVerify of a TLS 1.3 handshake.
    pub(crate) fn verify_tls13(&self, message: &[u8], signed: &DigitallySignedStruct) -> Result<(), rustls::Error> {
        let spki = SubjectPublicKeyInfoDer::from(self.spki.as_slice());
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &spki, signed, &algorithms()).map(|_| ())
    }
}

/// Returns the keys that ring can verify with.
pub(crate) fn algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

/// Returns the signature algorithm, if AWS IoT lists it for client certificates and this build can verify it (developer guide,
/// x509-client-certs: SHA-256, -384, -512 with RSA PKCS#1 v1.5 or ECDSA).
fn certificate_signature(oid: &Oid<'_>) -> Option<AlgorithmIdentifier> {
    [
        (oid_registry::OID_PKCS1_SHA256WITHRSA, alg_id::RSA_PKCS1_SHA256),
        (oid_registry::OID_PKCS1_SHA384WITHRSA, alg_id::RSA_PKCS1_SHA384),
        (oid_registry::OID_PKCS1_SHA512WITHRSA, alg_id::RSA_PKCS1_SHA512),
        (oid_registry::OID_SIG_ECDSA_WITH_SHA256, alg_id::ECDSA_SHA256),
        (oid_registry::OID_SIG_ECDSA_WITH_SHA384, alg_id::ECDSA_SHA384),
        (oid_registry::OID_SIG_ECDSA_WITH_SHA512, alg_id::ECDSA_SHA512),
    ]
    .into_iter()
    .find(|(known, _)| known == oid)
    .map(|(_, algorithm)| algorithm)
}
