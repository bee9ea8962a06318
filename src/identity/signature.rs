//! Verifies the signature of a certificate, and knows which algorithms AWS IoT accepts.

use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// The result of verifying a signature with an issuer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureStatus {
    /// The signature was made with the issuer's key.
    Signed,
    /// The signature was made with another key.
    NotSigned,
    /// The signature cannot be verified, because ring does not support the algorithm.
    Unknown,
}

/// A signature algorithm of certificates.
struct Algorithm {
    oid: &'static str,
    name: &'static str,
    /// Whether AWS IoT lists it ("X.509 client certificates", developer guide).
    is_accepted: bool,
}

const EC_P256: &str = "1.2.840.10045.3.1.7";
const EC_P384: &str = "1.3.132.0.34";
const EC_P521: &str = "1.3.132.0.35";
const RSA_KEY: &str = "1.2.840.113549.1.1.1";
const EC_KEY: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";
/// The object identifier of RSASSA-PSS signatures, and of keys that may make no others (RFC 4055, 1.2).
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const RSA_SHA384: &str = "1.2.840.113549.1.1.12";
/// The smallest RSA key that AWS IoT's audit accepts ("CA certificate key quality").
pub(super) const MIN_RSA_BITS: usize = 2048;
const SHA1: &str = "1.3.14.3.2.26";
/// The sizes of RSA keys with which ring verifies, with few exceptions.
const VERIFIABLE_RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;
/// SHA-256, SHA-384 and SHA-512 with the lengths of their digests. ring verifies RSASSA-PSS only with a salt of that length.
const PSS_HASHES: [(&str, u32); 3] = [
    ("2.16.840.1.101.3.4.2.1", 32),
    ("2.16.840.1.101.3.4.2.2", 48),
    ("2.16.840.1.101.3.4.2.3", 64),
];

const ALGORITHMS: [Algorithm; 14] = [
    algorithm("1.2.840.113549.1.1.11", "RSA with SHA-256", true),
    algorithm("1.2.840.113549.1.1.12", "RSA with SHA-384", true),
    algorithm("1.2.840.113549.1.1.13", "RSA with SHA-512", true),
    algorithm(RSASSA_PSS, "RSASSA-PSS", true),
    algorithm("1.2.840.113549.1.1.5", "RSA with SHA-1", false),
    algorithm("1.3.14.3.2.29", "RSA with SHA-1", false),
    algorithm("1.2.840.113549.1.1.4", "RSA with MD5", false),
    algorithm("1.2.840.113549.1.1.2", "RSA with MD2", false),
    algorithm("1.2.840.10045.4.1", "ECDSA with SHA-1", false),
    algorithm("1.2.840.10045.4.3.2", "ECDSA with SHA-256", true),
    algorithm("1.2.840.10045.4.3.3", "ECDSA with SHA-384", true),
    algorithm("1.2.840.10045.4.3.4", "ECDSA with SHA-512", true),
    algorithm("2.16.840.1.101.3.4.3.2", "DSA with SHA-256", true),
    algorithm(ED25519, "Ed25519", false),
];

const fn algorithm(oid: &'static str, name: &'static str, is_accepted: bool) -> Algorithm {
    Algorithm { oid, name, is_accepted }
}

/// Returns the algorithms of ring that may verify a signature. The key or the parameters decide which of them does.
fn find_verifiers(oid: &str) -> Vec<&'static dyn VerificationAlgorithm> {
    match oid {
        "1.2.840.113549.1.1.11" => vec![&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY],
        "1.2.840.113549.1.1.12" => vec![&RSA_PKCS1_2048_8192_SHA384],
        "1.2.840.113549.1.1.13" => vec![&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY],
        RSASSA_PSS => vec![
            &RSA_PSS_2048_8192_SHA256,
            &RSA_PSS_2048_8192_SHA384,
            &RSA_PSS_2048_8192_SHA512,
        ],
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => vec![&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY],
        "1.2.840.10045.4.3.2" => vec![&ECDSA_P256_SHA256_ASN1, &ECDSA_P384_SHA256_ASN1],
        "1.2.840.10045.4.3.3" => vec![&ECDSA_P256_SHA384_ASN1, &ECDSA_P384_SHA384_ASN1],
        ED25519 => vec![&signature::ED25519],
        _ => Vec::new(),
    }
}

/// Returns whether `issuer`'s key has signed `certificate`.
pub(super) fn verify(certificate: &X509Certificate, issuer: &X509Certificate) -> SignatureStatus {
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    let key = &issuer.public_key().subject_public_key.data;
    let kind = issuer.public_key().algorithm.algorithm.to_id_string();
    let (is_for_key, is_verifiable) = match kind.as_str() {
        RSA_KEY => (
            oid.starts_with("1.2.840.113549.") || oid.starts_with("1.3.14."),
            is_verifiable_rsa(certificate, issuer, &oid),
        ),
        RSASSA_PSS => (oid == RSASSA_PSS, is_verifiable_rsa(certificate, issuer, &oid)),
        EC_KEY => (
            oid.starts_with("1.2.840.10045."),
            matches!(find_curve(issuer).as_deref(), Some(EC_P256 | EC_P384)),
        ),
        ED25519 => (oid == ED25519, true),
        // DSA, Ed448 and future algorithms.
        _ => return SignatureStatus::Unknown,
    };
    if !is_for_key {
        return SignatureStatus::NotSigned;
    }
    let (message, signed) = (certificate.tbs_certificate.as_ref(), &certificate.signature_value.data);
    let verifiers = find_verifiers(&oid);
    let verifies =
        |ring: &&'static dyn VerificationAlgorithm| UnparsedPublicKey::new(*ring, key).verify(message, signed).is_ok();
    match verifiers.iter().any(verifies) {
        true => SignatureStatus::Signed,
        // Without a verifier for the algorithm and this key, a good signature fails as well.
        false if verifiers.is_empty() || !is_verifiable => SignatureStatus::Unknown,
        false => SignatureStatus::NotSigned,
    }
}

/// Returns the object identifier of the curve of an EC key, because keys on different curves may have the same length.
fn find_curve(certificate: &X509Certificate) -> Option<String> {
    let parameters = certificate.public_key().algorithm.parameters.as_ref()?;
    Some(parameters.as_oid().ok()?.to_id_string())
}

/// Returns whether ring verifies signatures of this RSA key with the algorithm `oid` and its parameters.
fn is_verifiable_rsa(certificate: &X509Certificate, issuer: &X509Certificate, oid: &str) -> bool {
    let is_small_enough = match oid {
        // ring has no variant of these for smaller keys.
        RSA_SHA384 | RSASSA_PSS => rsa_bits(issuer).is_some_and(|bits| bits >= MIN_RSA_BITS),
        _ => true,
    };
    is_small_enough
        && rsa_bits(issuer).is_some_and(|bits| VERIFIABLE_RSA_BITS.contains(&bits))
        && (oid != RSASSA_PSS || has_verifiable_pss_parameters(certificate))
}

/// Returns whether hash, mask generation and salt of an RSASSA-PSS signature are those that ring verifies.
fn has_verifiable_pss_parameters(certificate: &X509Certificate) -> bool {
    let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(&certificate.signature_algorithm)
    else {
        return false;
    };
    let hash = parameters.hash_algorithm_oid().to_id_string();
    let mask = parameters.mask_gen_algorithm().map(|mask| mask.hash.to_id_string());
    PSS_HASHES.iter().any(|(oid, salt)| {
        hash == *oid && mask.as_ref().is_ok_and(|mask| mask == oid) && parameters.salt_length() == *salt
    })
}

/// Describes the signature algorithm and the issuer's kind of key, for a signature that cannot be verified.
pub(super) fn describe_signature(certificate: &X509Certificate, issuer: &X509Certificate) -> String {
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    let algorithm = ALGORITHMS.iter().find(|algorithm| algorithm.oid == oid);
    let algorithm = algorithm.map_or("an unknown algorithm", |algorithm| algorithm.name);
    let key = match issuer.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("an RSA key of {} bits", key.key_size()),
        Ok(PublicKey::EC(_)) => match find_curve(issuer).as_deref() {
            Some(EC_P256) => "an EC P-256 key".to_owned(),
            Some(EC_P384) => "an EC P-384 key".to_owned(),
            Some(EC_P521) => "an EC P-521 key".to_owned(),
            _ => "an EC key on another curve".to_owned(),
        },
        _ => "a key of another kind".to_owned(),
    };
    format!("{algorithm}, by {key}")
}

/// Returns whether AWS IoT accepts a CA with a key of this kind: RSA, or EC on P-256, P-384 or P-521 ("X.509 client certificates").
pub(super) fn has_accepted_kind_of_key(certificate: &X509Certificate) -> bool {
    match certificate.public_key().algorithm.algorithm.to_id_string().as_str() {
        RSA_KEY | RSASSA_PSS => true,
        EC_KEY => matches!(find_curve(certificate).as_deref(), Some(EC_P256 | EC_P384 | EC_P521)),
        _ => false,
    }
}

/// Returns the size of a certificate's RSA key; `None` for another kind of key.
pub(super) fn rsa_bits(certificate: &X509Certificate) -> Option<usize> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    }
}

/// Returns the hash of an RSASSA-PSS signature; `None` if the parameters cannot be parsed. Absent parameters mean SHA-1 (RFC
/// 4055, 3.1).
fn pss_hash(certificate: &X509Certificate) -> Option<String> {
    match SignatureAlgorithm::try_from(&certificate.signature_algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => Some(parameters.hash_algorithm_oid().to_id_string()),
        _ => None,
    }
}

/// Returns the name of a certificate's signature algorithm if AWS IoT does not accept it.
pub(super) fn find_refused_algorithm(certificate: &X509Certificate) -> Option<&'static str> {
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    if oid == RSASSA_PSS && pss_hash(certificate).is_none_or(|hash| hash == SHA1) {
        return Some("RSASSA-PSS with SHA-1");
    }
    match ALGORITHMS.iter().find(|algorithm| algorithm.oid == oid) {
        Some(algorithm) => (!algorithm.is_accepted).then_some(algorithm.name),
        None => Some("an unknown algorithm"),
    }
}
