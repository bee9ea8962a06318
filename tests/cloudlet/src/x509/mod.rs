//! X.509 certificates, v1 and v3, parsed once into what the registry needs.

mod names;
mod public_key;
mod request;

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry;
use x509_parser::prelude::FromDer;

pub(crate) use names::Names;
pub(crate) use public_key::{PublicKey, algorithms};
pub(crate) use request::SigningRequest;

use crate::{Error, sha256};

/// A parsed certificate.
#[derive(Debug, Clone)]
pub(crate) struct ParsedCertificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) public_key: PublicKey,
    pub(crate) is_ca: bool,
    not_before: i64,
    not_after: i64,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// Distinguished and alternative names.
    pub(crate) subject_names: Names,
    pub(crate) issuer_names: Names,
    /// The serial number in hexadecimal.
    pub(crate) serial_number: String,
}

/// Length of a line (RFC 7468, section 2).
const PEM_LINE: usize = 64;

impl ParsedCertificate {
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let der = CertificateDer::from_pem_slice(pem)
            .map_err(|error| Error::Certificate(format!("not a PEM certificate: {error}")))?;
        Self::from_der(&der)
    }

    pub(crate) fn from_der(der: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = parse(der)?;
        let tbs = &parsed.tbs_certificate;
        let whole = |distinguished: Names, alternative: Names| distinguished.into_iter().chain(alternative).collect();
        Ok(Self {
            public_key: PublicKey::from_spki(&tbs.subject_pki)?,
            is_ca: parsed.is_ca(),
            not_before: tbs.validity.not_before.timestamp(),
            not_after: tbs.validity.not_after.timestamp(),
            subject: tbs.subject.as_raw().to_vec(),
            issuer: tbs.issuer.as_raw().to_vec(),
            subject_names: whole(names::distinguished(&tbs.subject), names::alternative(&parsed, false)),
            issuer_names: whole(names::distinguished(&tbs.issuer), names::alternative(&parsed, true)),
            serial_number: parsed.raw_serial_as_string().replace(':', ""),
            der: der.clone().into_owned(),
        })
    }

    /// Returns the certificate as PEM.
    pub(crate) fn pem(&self) -> String {
        let lines = BASE64.encode(&self.der);
        let lines: Vec<&str> = lines
            .as_bytes()
            .chunks(PEM_LINE)
            .filter_map(|line| std::str::from_utf8(line).ok())
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    }

    /// Returns the certificate ID of AWS IoT: lowercase hexadecimal SHA-256 of the DER.
    pub(crate) fn fingerprint(&self) -> String {
        sha256::hex(&self.der)
    }

    /// Returns the subject attributes that have a name in provisioning templates, with that name.
    pub(crate) fn template_attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.subject_names.iter().filter_map(|(name, value)| {
            let mut known = names::TEMPLATE_ATTRIBUTES.iter();
            known
                .find(|(attribute, _)| attribute == name)
                .map(|(_, in_templates)| (*in_templates, value.as_str()))
        })
    }

    pub(crate) fn is_valid_at(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        i64::try_from(now).is_ok_and(|now| (self.not_before..=self.not_after).contains(&now))
    }

    /// Returns the begin and the end of its validity, in seconds since 1970.
    pub(crate) fn validity(&self) -> (i64, i64) {
        (self.not_before, self.not_after)
    }

    /// Returns whether both certificates have the same subject name.
    pub(crate) fn has_subject_of(&self, other: &ParsedCertificate) -> bool {
        self.subject == other.subject
    }

    /// Returns whether the issuer is `ca`, and its key has really signed this certificate.
    pub(crate) fn is_signed_by(&self, ca: &ParsedCertificate) -> bool {
        self.issuer == ca.subject
            && parse(&self.der).is_ok_and(|parsed| {
                ca.public_key.signed_certificate(
                    &parsed.signature_algorithm.algorithm,
                    parsed.tbs_certificate.as_ref(),
                    &parsed.signature_value.data,
                )
            })
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (rest, parsed) = X509Certificate::from_der(der)
        .map_err(|error| Error::Certificate(format!("not an X.509 certificate: {error}")))?;
    if !rest.is_empty() {
        return Err(Error::Certificate("bytes follow the certificate".into()));
    }
    // Both algorithm fields must agree (RFC 5280, 4.1.1.2): only the inner one is signed.
    if parsed.signature_algorithm.algorithm != parsed.tbs_certificate.signature.algorithm {
        return Err(Error::Certificate("the two signature algorithms differ".into()));
    }
    if parsed.signature_algorithm.algorithm == oid_registry::OID_PKCS1_RSASSAPSS {
        return Err(Error::Certificate(
            "RSASSA-PSS signatures are not among those AWS IoT lists".into(),
        ));
    }
    Ok(parsed)
}
