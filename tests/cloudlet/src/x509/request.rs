//! A verified certificate signing request.

use rcgen::{DistinguishedName, DnType, SignatureAlgorithm};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateSigningRequestDer, alg_id};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::PublicKey;
use crate::Error;

/// Maximum length for CreateCertificateFromCsr (API reference: 1 to 4096 characters).
const MAX_CHARACTERS: usize = 4096;

/// A request whose signature was made with its own key.
pub(crate) struct SigningRequest {
    pub(crate) public_key: PublicKey,
    pub(crate) subject: DistinguishedName,
}

impl SigningRequest {
    pub(crate) fn from_pem(pem: &str) -> Result<Self, Error> {
        let refuse = |what: &str| Error::Certificate(format!("signing request: {what}"));
        if pem.chars().count() > MAX_CHARACTERS {
            return Err(refuse("longer than 4096 characters"));
        }
        let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).map_err(|_| refuse("not PEM"))?;
        let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| refuse("not PKCS#10"))?;
        if !rest.is_empty() {
            return Err(refuse("bytes follow it"));
        }
        let info = &request.certification_request_info;
        let public_key = PublicKey::from_spki(&info.subject_pki)?;
        let algorithm = &request.signature_algorithm.algorithm;
        if !public_key.signed_certificate(algorithm, info.raw, &request.signature_value.data) {
            return Err(refuse("its signature is not of its own key"));
        }
        let mut subject = DistinguishedName::new();
        for attribute in info.subject.iter_attributes() {
            let oid: Vec<u64> = attribute.attr_type().iter().into_iter().flatten().collect();
            let text = attribute.as_str().map_err(|_| refuse("a name that is not text"))?;
            subject.push(DnType::from_oid(&oid), text);
        }
        Ok(Self { public_key, subject })
    }
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        self.bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.algorithm_id() {
            alg_id::ECDSA_P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            alg_id::ECDSA_P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            _ => &rcgen::PKCS_RSA_SHA256,
        }
    }
}
