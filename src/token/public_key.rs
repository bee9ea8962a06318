//! The public key, read from attributes of an object in the token or from a certificate.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectHandle};
use cryptoki::session::Session;
use rcgen::{PublicKeyData, SignatureAlgorithm};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::algorithm::KeyAlgorithm;
use super::error::TokenError;
use crate::problem::Problem;

/// DER of the object identifier 1.2.840.10045.3.1.7, as CKA_EC_PARAMS holds it.
pub(super) const P256_PARAMETERS: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// DER of the object identifier 1.3.132.0.34.
pub(super) const P384_PARAMETERS: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// AWS IoT accepts RSA keys from 2048 bits, and ring verifies up to 8192.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// A public key, and the schemes in which its private key signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The kind of key.
    pub algorithm: KeyAlgorithm,
    /// Whether the token makes valid RSASSA-PSS signatures, without which TLS 1.3 is impossible with RSA.
    pub pss: bool,
    /// The uncompressed point, or the DER of RSAPublicKey.
    bits: Vec<u8>,
}

impl PublicKey {
    /// Returns the DER of the SubjectPublicKeyInfo, as in certificates.
    pub fn subject_public_key_info(&self) -> Vec<u8> {
        PublicKeyData::subject_public_key_info(self)
    }

    /// Returns whether both are the same key, whatever schemes were found to work.
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.bits == other.bits
    }

    /// Reads the attributes of a public key object.
    pub(super) fn read(session: &Session, object: ObjectHandle) -> Result<Self, TokenError> {
        PublicAttributes::read(session, object)?
            .to_key()?
            .ok_or_else(|| unusable(NEITHER_KIND))
    }

    /// Reads the public key from a private key object; `None` if its attributes do not suffice.
    ///
    /// # Errors
    /// If the attributes show that the key cannot be used.
    pub(super) fn read_of_private(session: &Session, object: ObjectHandle) -> Result<Option<Self>, TokenError> {
        match PublicAttributes::read(session, object) {
            Ok(attributes) => attributes.to_key(),
            // The module provides none of the attributes.
            Err(_) => Ok(None),
        }
    }

    /// Reads a certificate; `None` if it is not one. The inner error is that of an unusable key.
    pub(super) fn from_certificate(der: &[u8]) -> Option<Result<Self, TokenError>> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self::from_parsed(certificate.public_key()))
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    pub(super) fn from_info(der: &[u8]) -> Result<Self, TokenError> {
        match SubjectPublicKeyInfo::from_der(der) {
            Ok((_, info)) => Self::from_parsed(&info),
            Err(_) => Err(unusable(NEITHER_KIND)),
        }
    }

    fn from_parsed(info: &SubjectPublicKeyInfo) -> Result<Self, TokenError> {
        match info.parsed() {
            Ok(ParsedKey::EC(point)) => {
                // The curve is the algorithm's parameter, in the same form as in CKA_EC_PARAMS.
                let parameters = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
                let parameters = parameters.map(|oid| {
                    let length = u8::try_from(oid.as_bytes().len()).unwrap_or(u8::MAX);
                    [&[0x06, length], oid.as_bytes()].concat()
                });
                Self::elliptic(&parameters.unwrap_or_default(), point.data())
            }
            Ok(ParsedKey::RSA(key)) => Self::rsa(key.modulus, key.exponent),
            _ => Err(unusable(NEITHER_KIND)),
        }
    }

    /// Reads the curve and the point of an EC key.
    pub(super) fn elliptic(parameters: &[u8], point: &[u8]) -> Result<Self, TokenError> {
        let (algorithm, length) = find_curve(parameters)?;
        // PKCS#11 wraps the point in an OCTET STRING, but some tokens return it bare, as in certificates. Only the length tells
        // them apart, because one bare point in 256 also parses as an OCTET STRING (04 3f for P-256, 04 5f for P-384).
        let bits = match point.len() == length {
            true => point.to_vec(),
            false => yasna::parse_der(point, |reader| reader.read_bytes()).unwrap_or_default(),
        };
        match bits.len() == length && bits.first() == Some(&4) {
            true => Ok(Self {
                algorithm,
                pss: false,
                bits,
            }),
            false => Err(unusable("has a public point that is not in uncompressed form")),
        }
    }

    /// Reads the modulus and the exponent of an RSA key.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, TokenError> {
        let size = check_rsa_size(modulus)?;
        let bits = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_bigint_bytes(modulus, true);
                writer.next().write_bigint_bytes(exponent, true);
            });
        });
        Ok(Self {
            algorithm: KeyAlgorithm::Rsa(size),
            pss: false,
            bits,
        })
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.algorithm {
            KeyAlgorithm::EcP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::EcP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyAlgorithm::Rsa(_) => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

/// The attributes of a key object that belong to its public key.
#[derive(Debug, Default)]
struct PublicAttributes {
    kind: Option<KeyType>,
    parameters: Option<Vec<u8>>,
    point: Option<Vec<u8>>,
    modulus: Option<Vec<u8>>,
    exponent: Option<Vec<u8>>,
}

impl PublicAttributes {
    fn read(session: &Session, object: ObjectHandle) -> Result<Self, TokenError> {
        let types = [AttributeType::KeyType, AttributeType::EcParams, AttributeType::EcPoint]
            .into_iter()
            .chain([AttributeType::Modulus, AttributeType::PublicExponent])
            .collect::<Vec<_>>();
        let attributes = session
            .get_attributes(object, &types)
            .map_err(|error| TokenError::from_module("reading the public key", &error))?;
        let mut found = Self::default();
        for attribute in attributes {
            match attribute {
                Attribute::KeyType(value) => found.kind = Some(value),
                Attribute::EcParams(value) => found.parameters = Some(value),
                Attribute::EcPoint(value) => found.point = Some(value),
                Attribute::Modulus(value) => found.modulus = Some(value),
                Attribute::PublicExponent(value) => found.exponent = Some(value),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Returns the public key; `None` if a part of it is missing. The existing parts are checked in any case: a private key
    /// object may have the modulus or the curve alone.
    fn to_key(&self) -> Result<Option<PublicKey>, TokenError> {
        let given = |part: &Option<Vec<u8>>| part.clone().filter(|part| !part.is_empty());
        match (self.kind, given(&self.parameters), given(&self.modulus)) {
            (Some(KeyType::EC), Some(parameters), _) => match given(&self.point) {
                Some(point) => PublicKey::elliptic(&parameters, &point).map(Some),
                None => find_curve(&parameters).map(|_| None),
            },
            (Some(KeyType::RSA), _, Some(modulus)) => match given(&self.exponent) {
                Some(exponent) => PublicKey::rsa(&modulus, &exponent).map(Some),
                None => check_rsa_size(&modulus).map(|_| None),
            },
            (Some(KeyType::EC | KeyType::RSA) | None, ..) => Ok(None),
            (Some(_), ..) => Err(unusable(NEITHER_KIND)),
        }
    }
}

/// Finds the algorithm and the length of points for the curve in CKA_EC_PARAMS.
fn find_curve(parameters: &[u8]) -> Result<(KeyAlgorithm, usize), TokenError> {
    match parameters {
        _ if parameters == P256_PARAMETERS => Ok((KeyAlgorithm::EcP256, 65)),
        _ if parameters == P384_PARAMETERS => Ok((KeyAlgorithm::EcP384, 97)),
        _ => Err(unusable(
            "is on a curve other than P-256 and P-384, the ones AWS IoT accepts",
        )),
    }
}

/// Returns the size of an RSA key in bits.
///
/// # Errors
/// If AWS IoT does not accept this size, or ring cannot verify it.
fn check_rsa_size(modulus: &[u8]) -> Result<u32, TokenError> {
    let mut significant = modulus.iter().skip_while(|byte| **byte == 0);
    let first = significant.next().copied().unwrap_or_default();
    let bits = significant
        .count()
        .saturating_mul(8)
        .saturating_add(8 - first.leading_zeros() as usize);
    let size = u32::try_from(bits).unwrap_or(u32::MAX);
    match RSA_BITS.contains(&size) {
        true => Ok(size),
        false => Err(unusable(&format!(
            "is RSA with {size} bits; AWS IoT accepts {} or more, and gatepost up to {}",
            RSA_BITS.start(),
            RSA_BITS.end()
        ))),
    }
}

const NEITHER_KIND: &str = "is neither EC nor RSA, or does not show its public part";

fn unusable(why: &str) -> TokenError {
    // The next step depends on the setting that names the key, which the caller knows.
    TokenError::configuration(Problem::configuration(format!("the key in the token {why}")))
}

#[cfg(test)]
mod tests;
