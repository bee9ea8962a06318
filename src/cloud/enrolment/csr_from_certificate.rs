//! The signing request of a renewal, with subject and subjectAltName of the certificate that is renewed, byte for byte.
//!
//! RFC 7030 (4.2.2) requires both to be identical, and servers compare bytes. The CA may have written the subject with other string types
//! or in another order than the first request, so it is copied and not built from the configuration.

use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, Tag, construct_der};

use crate::token::KeyAlgorithm;

/// subjectAltName.
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
/// extensionRequest (RFC 2985).
const EXTENSION_REQUEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 14];

/// A signing request without its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedRequest {
    info: Vec<u8>,
}

impl UnsignedRequest {
    /// Builds a request for another certificate like `certificate`, for the key in `key_info` (SubjectPublicKeyInfo), which may be a
    /// different key. Returns `None` if `certificate` is not a certificate.
    pub fn like(certificate: &CertificateDer, key_info: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let mut extensions = parsed.extensions().iter();
        let alternative = extensions.find(|extension| extension.oid.to_id_string() == "2.5.29.17");
        let info = construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_u8(0);
                writer.next().write_der(parsed.subject().as_raw());
                writer.next().write_der(key_info);
                writer.next().write_tagged_implicit(Tag::context(0), |writer| {
                    writer.write_set(|writer| {
                        if let Some(alternative) = alternative {
                            write_extension_request(writer.next(), alternative.critical, alternative.value);
                        }
                    });
                });
            });
        });
        Some(Self { info })
    }

    /// Returns the bytes to be signed.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.info
    }

    /// Returns the request with its signature, which was made with SHA-256, or SHA-384 for a P-384 key.
    pub fn signed(&self, algorithm: KeyAlgorithm, signature: &[u8]) -> CertificateSigningRequestDer<'static> {
        let der = construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&self.info);
                writer.next().write_sequence(|writer| match algorithm {
                    KeyAlgorithm::EcP256 => write_oid(writer.next(), &[1, 2, 840, 10_045, 4, 3, 2]),
                    KeyAlgorithm::EcP384 => write_oid(writer.next(), &[1, 2, 840, 10_045, 4, 3, 3]),
                    KeyAlgorithm::Rsa(_) => {
                        write_oid(writer.next(), &[1, 2, 840, 113_549, 1, 1, 11]);
                        writer.next().write_null();
                    }
                });
                writer
                    .next()
                    .write_bitvec_bytes(signature, signature.len().saturating_mul(8));
            });
        });
        CertificateSigningRequestDer::from(der)
    }
}

fn write_extension_request(writer: DERWriter, is_critical: bool, value: &[u8]) {
    writer.write_sequence(|writer| {
        write_oid(writer.next(), EXTENSION_REQUEST);
        writer.next().write_set(|writer| {
            writer.next().write_sequence(|writer| {
                writer.next().write_sequence(|writer| {
                    write_oid(writer.next(), SUBJECT_ALT_NAME);
                    if is_critical {
                        writer.next().write_bool(true);
                    }
                    writer.next().write_bytes(value);
                });
            });
        });
    });
}

fn write_oid(writer: DERWriter, components: &[u64]) {
    writer.write_oid(&ObjectIdentifier::from_slice(components));
}

#[cfg(test)]
mod tests {
    use rcgen::string::{BmpString, TeletexString};
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, PKCS_ECDSA_P384_SHA384, PublicKeyData as _,
        SigningKey as _,
    };
    use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm};
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::cri_attributes::ParsedCriAttribute;

    use super::*;

    /// Returns names as CAs write them: several string types, repeated attributes, an unusual order, no common name at all.
    fn subjects() -> Vec<Vec<(DnType, DnValue)>> {
        let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
        let unit = DnType::OrganizationalUnitName;
        vec![
            vec![(DnType::CommonName, utf8("gw-1"))],
            vec![(DnType::CommonName, utf8("gw-1")), (DnType::CountryName, utf8("IN"))],
            vec![(DnType::CountryName, utf8("IN")), (DnType::CommonName, utf8("gw-1"))],
            vec![(
                DnType::CommonName,
                DnValue::TeletexString(TeletexString::try_from("gw-1").unwrap()),
            )],
            vec![(
                DnType::CommonName,
                DnValue::BmpString(BmpString::try_from("gw-1").unwrap()),
            )],
            vec![
                (unit, utf8("a")),
                (DnType::OrganizationName, utf8("é")),
                (DnType::CommonName, utf8("gw-1")),
            ],
            vec![
                (DnType::from_oid(&[1, 2, 3, 4, 5]), utf8("odd")),
                (DnType::CommonName, utf8("gw-1")),
            ],
            vec![],
        ]
    }

    #[test]
    fn subject_and_alternative_names_are_those_of_the_certificate() {
        let key = KeyPair::generate().unwrap();
        for subject in subjects() {
            for names in [&[][..], &["gw-1.example"], &["gw-1.example", "10.1.2.3"]] {
                let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
                let mut params = CertificateParams::new(names).unwrap();
                params.distinguished_name = DistinguishedName::new();
                for (kind, value) in &subject {
                    params.distinguished_name.push(kind.clone(), value.clone());
                }
                let certificate = params.self_signed(&key).unwrap();
                let (_, expected) = X509Certificate::from_der(certificate.der()).unwrap();
                let request = signed(certificate.der(), &key, KeyAlgorithm::EcP256);
                let (rest, request) = X509CertificationRequest::from_der(&request).unwrap();
                assert!(rest.is_empty());
                let info = &request.certification_request_info;
                assert_eq!(info.subject.as_raw(), expected.subject().as_raw());
                let asked = info
                    .iter_attributes()
                    .find_map(|attribute| match attribute.parsed_attribute() {
                        ParsedCriAttribute::ExtensionRequest(request) => Some(request.extensions.clone()),
                        _ => None,
                    });
                let asked = asked.map(|extensions| {
                    assert_eq!(extensions.len(), 1);
                    (extensions[0].oid.to_id_string(), extensions[0].value.to_vec())
                });
                let alternative = expected.extensions().iter();
                let mut alternative = alternative.filter(|extension| extension.oid.to_id_string() == "2.5.29.17");
                let alternative = alternative
                    .next()
                    .map(|found| (found.oid.to_id_string(), found.value.to_vec()));
                assert_eq!(asked, alternative);
            }
        }
    }

    fn signed(certificate: &CertificateDer, key: &KeyPair, algorithm: KeyAlgorithm) -> Vec<u8> {
        let unsigned = UnsignedRequest::like(certificate, &key.subject_public_key_info()).unwrap();
        let signature = key.sign(unsigned.to_be_signed()).unwrap();
        unsigned.signed(algorithm, &signature).to_vec()
    }

    #[test]
    fn the_signature_is_named_and_verifies_for_the_old_key_and_for_another() {
        let first = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&first).unwrap();
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let algorithms: [(&KeyPair, KeyAlgorithm, &str, &'static dyn VerificationAlgorithm); 2] = [
            (
                &first,
                KeyAlgorithm::EcP256,
                "1.2.840.10045.4.3.2",
                &ECDSA_P256_SHA256_ASN1,
            ),
            (
                &other,
                KeyAlgorithm::EcP384,
                "1.2.840.10045.4.3.3",
                &ECDSA_P384_SHA384_ASN1,
            ),
        ];
        for (key, algorithm, oid, verification) in algorithms {
            let der = signed(certificate.der(), key, algorithm);
            let (_, request) = X509CertificationRequest::from_der(&der).unwrap();
            assert_eq!(request.signature_algorithm.algorithm.to_id_string(), oid);
            let info = &request.certification_request_info;
            assert_eq!(info.subject_pki.raw, key.subject_public_key_info());
            UnparsedPublicKey::new(verification, key.der_bytes())
                .verify(info.raw, &request.signature_value.data)
                .unwrap();
        }
        let unsigned = UnsignedRequest::like(certificate.der(), &first.subject_public_key_info()).unwrap();
        let rsa = unsigned.signed(KeyAlgorithm::Rsa(2048), &[1, 2, 3]);
        let (_, request) = X509CertificationRequest::from_der(&rsa).unwrap();
        assert_eq!(
            request.signature_algorithm.algorithm.to_id_string(),
            "1.2.840.113549.1.1.11"
        );
        assert_eq!(request.signature_value.data.as_ref(), [1, 2, 3]);
        assert_eq!(UnsignedRequest::like(&CertificateDer::from(vec![0x30, 0]), &[]), None);
    }
}
