//! Makes a signature: hashes in software, signs in the token, and converts the result to the form that TLS requires.
//!
//! Hashing in software needs only mechanisms that every token has (SoftHSM lacks CKM_ECDSA_SHA256).

use std::ffi::c_ulong;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use rcgen::PublicKeyData;

use super::algorithm::{Hash, KeyAlgorithm, Scheme};
use super::error::{TokenError, describe_failure};
use super::public_key::PublicKey;
use crate::problem::Problem;

/// The sequence of calls that a key requires for a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// One call, after the login of the session.
    Plain,
    /// A login after C_SignInit; the data are passed with C_SignUpdate and hashed by the token.
    AuthenticatedHashing,
    /// As above, but the hash itself is passed with C_SignUpdate, which OpenSC supports for every mechanism.
    AuthenticatedRaw,
}

/// The error of a signature.
pub(super) enum SignError {
    /// The token requires a login although there was one, perhaps because the key requires one for each signature.
    NotLoggedIn(TokenError),
    /// Anything else.
    Failed(TokenError),
}

impl From<SignError> for TokenError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::NotLoggedIn(error) | SignError::Failed(error) => error,
        }
    }
}

/// Signs `message` with `key`. `authenticate` logs in for the started signature, if the mode requires it.
pub(super) fn sign(
    session: &Session,
    key: ObjectHandle,
    mode: Mode,
    scheme: Scheme,
    message: &[u8],
    authenticate: impl FnOnce() -> Result<(), TokenError>,
) -> Result<Vec<u8>, SignError> {
    let failed = |error: Error| {
        let failure = TokenError::from_module("signing", &error);
        match error {
            Error::Pkcs11(RvError::UserNotLoggedIn, _) => SignError::NotLoggedIn(failure),
            _ => SignError::Failed(failure),
        }
    };
    let (mechanism, data) = match mode {
        Mode::Plain | Mode::AuthenticatedRaw => prepare_raw(scheme, message),
        Mode::AuthenticatedHashing => (find_hashing_mechanism(scheme), message.to_vec()),
    };
    let signature = match mode {
        Mode::Plain => session.sign(&mechanism, key, &data).map_err(failed)?,
        // C_Sign would have to follow the login, but cryptoki's `sign` calls C_SignInit again. So the data are passed in parts.
        Mode::AuthenticatedHashing | Mode::AuthenticatedRaw => {
            session.sign_init(&mechanism, key).map_err(failed)?;
            authenticate().map_err(SignError::Failed)?;
            session.sign_update(&data).map_err(classify_parts_error)?;
            session.sign_final().map_err(classify_parts_error)?
        }
    };
    match scheme {
        Scheme::Ecdsa(_) => Ok(encode_ecdsa(&signature)),
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => Ok(signature),
    }
}

/// Classifies an error of signing in parts. A token that does not support it ends the operation, and then reports that there is
/// none.
fn classify_parts_error(error: Error) -> SignError {
    SignError::Failed(match error {
        Error::Pkcs11(RvError::OperationNotInitialized, _) => {
            TokenError::configuration(Problem::configuration(describe_failure("signing in parts", &error)))
        }
        error => TokenError::from_module("signing", &error),
    })
}

/// Returns a mechanism that signs a hash, and the data for it.
fn prepare_raw(scheme: Scheme, message: &[u8]) -> (Mechanism<'static>, Vec<u8>) {
    match scheme {
        Scheme::Ecdsa(hash) => (Mechanism::Ecdsa, hash.of(message).as_ref().to_vec()),
        Scheme::RsaPkcs1(hash) => {
            let info = [&hash.digest_info_prefix(), hash.of(message).as_ref()].concat();
            (Mechanism::RsaPkcs, info)
        }
        Scheme::RsaPss(hash) => {
            let mechanism = Mechanism::RsaPkcsPss(pss_parameters(hash));
            (mechanism, hash.of(message).as_ref().to_vec())
        }
    }
}

/// Returns a mechanism that hashes and signs.
fn find_hashing_mechanism(scheme: Scheme) -> Mechanism<'static> {
    match scheme {
        Scheme::Ecdsa(Hash::Sha256) => Mechanism::EcdsaSha256,
        Scheme::Ecdsa(Hash::Sha384) => Mechanism::EcdsaSha384,
        Scheme::Ecdsa(Hash::Sha512) => Mechanism::EcdsaSha512,
        Scheme::RsaPkcs1(Hash::Sha256) => Mechanism::Sha256RsaPkcs,
        Scheme::RsaPkcs1(Hash::Sha384) => Mechanism::Sha384RsaPkcs,
        Scheme::RsaPkcs1(Hash::Sha512) => Mechanism::Sha512RsaPkcs,
        Scheme::RsaPss(hash @ Hash::Sha256) => Mechanism::Sha256RsaPkcsPss(pss_parameters(hash)),
        Scheme::RsaPss(hash @ Hash::Sha384) => Mechanism::Sha384RsaPkcsPss(pss_parameters(hash)),
        Scheme::RsaPss(hash @ Hash::Sha512) => Mechanism::Sha512RsaPkcsPss(pss_parameters(hash)),
    }
}

/// Returns whether `signature` over `message` was made with the private key of `key`.
pub(super) fn verify(key: &PublicKey, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
    use ring::signature as ring;
    let algorithm: &dyn ring::VerificationAlgorithm = match (scheme, key.algorithm) {
        (Scheme::Ecdsa(Hash::Sha256), KeyAlgorithm::EcP256) => &ring::ECDSA_P256_SHA256_ASN1,
        (Scheme::Ecdsa(Hash::Sha384), KeyAlgorithm::EcP384) => &ring::ECDSA_P384_SHA384_ASN1,
        (Scheme::RsaPkcs1(Hash::Sha256), KeyAlgorithm::Rsa(_)) => &ring::RSA_PKCS1_2048_8192_SHA256,
        (Scheme::RsaPkcs1(Hash::Sha384), KeyAlgorithm::Rsa(_)) => &ring::RSA_PKCS1_2048_8192_SHA384,
        (Scheme::RsaPkcs1(Hash::Sha512), KeyAlgorithm::Rsa(_)) => &ring::RSA_PKCS1_2048_8192_SHA512,
        (Scheme::RsaPss(Hash::Sha256), KeyAlgorithm::Rsa(_)) => &ring::RSA_PSS_2048_8192_SHA256,
        (Scheme::RsaPss(Hash::Sha384), KeyAlgorithm::Rsa(_)) => &ring::RSA_PSS_2048_8192_SHA384,
        (Scheme::RsaPss(Hash::Sha512), KeyAlgorithm::Rsa(_)) => &ring::RSA_PSS_2048_8192_SHA512,
        _ => return false,
    };
    ring::UnparsedPublicKey::new(algorithm, key.der_bytes())
        .verify(message, signature)
        .is_ok()
}

fn pss_parameters(hash: Hash) -> PkcsPssParams {
    let (hash_alg, mgf) = match hash {
        Hash::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        Hash::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
        Hash::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
    };
    PkcsPssParams {
        hash_alg,
        mgf,
        s_len: Ulong::from(c_ulong::from(hash.length())),
    }
}

/// Encodes an ECDSA signature as DER. PKCS#11 concatenates r and s, but TLS and X.509 require a SEQUENCE of two INTEGERs (RFC
/// 3279, 2.2.3).
fn encode_ecdsa(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_bigint_bytes(r, true);
            writer.next().write_bigint_bytes(s, true);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_positive() {
        let mut raw = [0_u8; 64];
        raw[31] = 0x80;
        raw[32] = 0x01;
        let der = encode_ecdsa(&raw);
        let mut expected = vec![0x30, 38, 0x02, 2, 0x00, 0x80, 0x02, 32, 0x01];
        expected.extend([0; 31]);
        assert_eq!(der, expected);
    }
}
