//! One signature: hashed in software, signed in the token, in the form that TLS wants.
//!
//! Hashing outside keeps to the mechanisms that every token has (SoftHSM has no CKM_ECDSA_SHA256).

use std::ffi::c_ulong;

use cryptoki::error::Error;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::types::Ulong;

use super::algorithm::{Hash, Scheme};
use super::error::TokenError;
use super::public_key::PublicKey;
use rcgen::PublicKeyData;

/// Signs `message` with `key`.
pub(super) fn sign(
    session: &Session,
    key: ObjectHandle,
    scheme: Scheme,
    message: &[u8],
) -> Result<Vec<u8>, TokenError> {
    let failed = |error: Error| TokenError::from_module("signing", &error);
    match scheme {
        Scheme::Ecdsa(hash) => {
            let raw = session
                .sign(&Mechanism::Ecdsa, key, hash.of(message).as_ref())
                .map_err(failed)?;
            Ok(ecdsa_der(&raw))
        }
        Scheme::RsaPkcs1(hash) => {
            let info = [&hash.digest_info_prefix(), hash.of(message).as_ref()].concat();
            session.sign(&Mechanism::RsaPkcs, key, &info).map_err(failed)
        }
        Scheme::RsaPss(hash) => {
            let mechanism = Mechanism::RsaPkcsPss(pss_parameters(hash));
            session.sign(&mechanism, key, hash.of(message).as_ref()).map_err(failed)
        }
    }
}

/// Whether the token makes PSS signatures that a TLS peer accepts: made once, and verified here, because some TPMs
/// choose a salt length of their own.
///
/// # Errors
/// When the device fails; that says nothing about PSS.
pub(super) fn pss_works(session: &Session, key: ObjectHandle, public: &PublicKey) -> Result<bool, TokenError> {
    let message = b"gatepost asks whether this token can do RSASSA-PSS";
    let signature = match sign(session, key, Scheme::RsaPss(Hash::Sha256), message) {
        Ok(signature) => signature,
        Err(TokenError::Final(..)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let verifier = &ring::signature::RSA_PSS_2048_8192_SHA256;
    let key = ring::signature::UnparsedPublicKey::new(verifier, public.der_bytes());
    Ok(key.verify(message, &signature).is_ok())
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

/// PKCS#11 gives r and s side by side; TLS and X.509 want a SEQUENCE of two INTEGERs (RFC 3279, 2.2.3).
fn ecdsa_der(raw: &[u8]) -> Vec<u8> {
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
        let der = ecdsa_der(&raw);
        let mut expected = vec![0x30, 38, 0x02, 2, 0x00, 0x80, 0x02, 32, 0x01];
        expected.extend([0; 31]);
        assert_eq!(der, expected);
    }
}
