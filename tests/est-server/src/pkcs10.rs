//! Parses a certificate signing request, and verifies that its sender holds the key.

use ring::signature;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::prelude::{FromDer as _, X509CertificationRequestInfo};
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::x509::oid;

/// The content of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pkcs10 {
    /// The subject as DER.
    pub(crate) subject: Vec<u8>,
    /// The first common name; empty if there is none.
    pub(crate) common_name: String,
    /// The public key as SubjectPublicKeyInfo.
    pub(crate) key_info: Vec<u8>,
    /// The value of the subjectAltName extension, if it is requested.
    pub(crate) subject_alt_name: Option<Vec<u8>>,
}

impl Pkcs10 {
    /// Parses a request in DER.
    ///
    /// # Errors
    /// With the reason, for the client.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, String> {
        let (rest, request) =
            X509CertificationRequest::from_der(der).map_err(|_| "the body is not a PKCS#10 request".to_owned())?;
        if !rest.is_empty() {
            return Err("something follows the PKCS#10 request".to_owned());
        }
        let info = &request.certification_request_info;
        let signature = request.signature_value.data.as_ref();
        verify(&info.subject_pki, &request.signature_algorithm, info.raw, signature)?;
        let common_name = info.subject.iter_common_name().next();
        Ok(Self {
            subject: info.subject.as_raw().to_vec(),
            common_name: common_name
                .and_then(|name| name.as_str().ok())
                .unwrap_or_default()
                .to_owned(),
            key_info: info.subject_pki.raw.to_vec(),
            subject_alt_name: subject_alt_name(info),
        })
    }
}

/// Returns the value of the requested subjectAltName extension.
fn subject_alt_name(info: &X509CertificationRequestInfo) -> Option<Vec<u8>> {
    info.iter_attributes()
        .find_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(request) => {
                let mut extensions = request.extensions.iter();
                let found = extensions.find(|extension| extension.oid.as_bytes() == oid::SUBJECT_ALT_NAME)?;
                Some(found.value.to_vec())
            }
            _ => None,
        })
}

/// Verifies a signature with the key in `key_info`.
///
/// # Errors
/// If it was not made with the key, or this server does not support its algorithm.
pub(crate) fn verify(
    key_info: &SubjectPublicKeyInfo,
    algorithm: &AlgorithmIdentifier,
    message: &[u8],
    signature: &[u8],
) -> Result<(), String> {
    let curve = key_info
        .algorithm
        .parameters
        .as_ref()
        .and_then(|curve| curve.as_oid().ok());
    let curve = curve.map(|curve| curve.to_id_string());
    let verification: &dyn signature::VerificationAlgorithm =
        match (algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            ("1.2.840.10045.4.3.2", Some("1.2.840.10045.3.1.7")) => &signature::ECDSA_P256_SHA256_ASN1,
            ("1.2.840.10045.4.3.3", Some("1.2.840.10045.3.1.7")) => &signature::ECDSA_P256_SHA384_ASN1,
            ("1.2.840.10045.4.3.2", Some("1.3.132.0.34")) => &signature::ECDSA_P384_SHA256_ASN1,
            ("1.2.840.10045.4.3.3", Some("1.3.132.0.34")) => &signature::ECDSA_P384_SHA384_ASN1,
            ("1.2.840.113549.1.1.11", _) => &signature::RSA_PKCS1_2048_8192_SHA256,
            ("1.2.840.113549.1.1.12", _) => &signature::RSA_PKCS1_2048_8192_SHA384,
            ("1.2.840.113549.1.1.13", _) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => {
                return Err(
                    "the request is signed by an algorithm or kind of key that this server does not know".to_owned(),
                );
            }
        };
    signature::UnparsedPublicKey::new(verification, key_info.subject_public_key.data.as_ref())
        .verify(message, signature)
        .map_err(|_| "the request is not signed by its own key".to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;
    use crate::x509::{SEQUENCE, element};

    /// Returns the value of subjectAltName for one DNS name.
    fn dns_name(name: &str) -> Vec<u8> {
        element(SEQUENCE, &[&element(0x82, &[name.as_bytes()])])
    }

    fn request(pair: &KeyPair, names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        params.serialize_request(pair).unwrap().der().to_vec()
    }

    #[test]
    fn subject_key_and_alternative_names_are_read() {
        for pair in [
            KeyPair::generate().unwrap(),
            KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        ] {
            let plain = Pkcs10::parse(&request(&pair, &[])).unwrap();
            assert_eq!(plain.common_name, "rcgen self signed cert");
            assert_eq!(plain.subject_alt_name, None);
            let named = Pkcs10::parse(&request(&pair, &["gw-1.example"])).unwrap();
            assert_eq!(named.subject_alt_name, Some(dns_name("gw-1.example")));
        }
    }

    #[test]
    fn unproven_requests_are_refused() {
        let pair = KeyPair::generate().unwrap();
        let good = request(&pair, &[]);
        let mut other_signature = good.clone();
        *other_signature.last_mut().unwrap() ^= 1;
        let mut longer = good.clone();
        longer.push(0);
        for (der, why) in [
            (Vec::new(), "not a PKCS#10"),
            (good[..good.len() - 1].to_vec(), "not a PKCS#10"),
            (longer, "follows"),
            (other_signature, "not signed by its own key"),
            (
                request(&KeyPair::generate_for(&PKCS_ED25519).unwrap(), &[]),
                "does not know",
            ),
        ] {
            let error = Pkcs10::parse(&der).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
