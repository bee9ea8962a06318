//! Extracts the certificates from an answer, in every form that servers send.
//!
//! RFC 7030 requires base64 of a certs-only PKCS#7 in DER. Real servers send BER of indefinite length, line breaks and blanks in the
//! base64, PEM, bare DER, and CERTIFICATE blocks; all of these are unambiguous and are accepted. A crate would bring a complete reader of
//! CMS for the three fields that hold certificates.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use rustls::pki_types::CertificateDer;

use super::ber::{BerError, CONTEXT_0, Element, Elements, OBJECT_IDENTIFIER, SEQUENCE, SET};
use crate::pem_file;

/// Maximum number of certificates. A chain has a few, and `/cacerts` during a rollover a few more.
pub const MAX_CERTIFICATES: usize = 64;
/// Maximum size of a body: as many RSA 8192 certificates with all extensions fit in base64.
pub const MAX_BODY: usize = 256 * 1024;

/// Content of the object identifier 1.2.840.113549.1.7.2, signedData.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// Ignores trailing bits and missing padding. That is safe, because the DER inside has its own lengths.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The reason why an answer contains no certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkcs7Error {
    /// It is empty.
    Empty,
    /// It is larger than any chain.
    TooLarge,
    /// It is a web page.
    WebPage,
    /// It is neither base64 nor PEM nor DER.
    NotBase64,
    /// It is not a PKCS#7.
    NotPkcs7,
    /// The PKCS#7 contains no certificates.
    NoCertificates,
    /// It contains more certificates than any chain.
    TooManyCertificates,
}

impl fmt::Display for Pkcs7Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the answer is empty"),
            Self::TooLarge => write!(f, "the answer has more than {MAX_BODY} bytes"),
            Self::WebPage => f.write_str("the answer is a web page"),
            Self::NotBase64 => f.write_str("the answer is neither base64 nor PEM"),
            Self::NotPkcs7 => f.write_str("the answer is not complete PKCS#7"),
            Self::NoCertificates => f.write_str("the answer is a PKCS#7 without certificates"),
            Self::TooManyCertificates => write!(f, "the answer has more than {MAX_CERTIFICATES} certificates"),
        }
    }
}

impl From<BerError> for Pkcs7Error {
    fn from(_: BerError) -> Self {
        Self::NotPkcs7
    }
}

/// Returns the certificates in the body of an answer, in their order.
///
/// # Errors
/// If there are none.
pub fn certificates(body: &[u8]) -> Result<Vec<CertificateDer<'static>>, Pkcs7Error> {
    if body.len() > MAX_BODY {
        return Err(Pkcs7Error::TooLarge);
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // Binary data is recognised by its first octet, before anything that looks like white space is removed from it.
    if body.first() == Some(&SEQUENCE) && body.get(1).is_some_and(|length| *length >= 0x80) {
        return from_ber(body);
    }
    let text = body.trim_ascii();
    if let Some(found) = from_pem(text) {
        return found;
    }
    match text.first() {
        None => Err(Pkcs7Error::Empty),
        Some(b'<') => Err(Pkcs7Error::WebPage),
        Some(_) => {
            let bytes = decode_base64(text).ok_or(Pkcs7Error::NotBase64)?;
            // Some servers encode the PEM in base64 once more.
            from_pem(bytes.trim_ascii()).unwrap_or_else(|| from_ber(&bytes))
        }
    }
}

/// Decodes base64, ignoring white space (RFC 8951, 3.1).
pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    LENIENT.decode(text).ok()
}

/// Reads the certificates of PEM blocks; `None` if the text has no such blocks.
fn from_pem(text: &[u8]) -> Option<Result<Vec<CertificateDer<'static>>, Pkcs7Error>> {
    let text = str::from_utf8(text).ok()?;
    let (_, block) = text.split_once("-----BEGIN ")?;
    let (label, block) = block.split_once("-----")?;
    match label {
        "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => Some(from_pem_pkcs7(block)),
        _ => Some(match pem_file::parse(text.as_bytes()) {
            Ok(file) => bounded(file.certificates),
            Err(_) => Err(Pkcs7Error::NotPkcs7),
        }),
    }
}

fn from_pem_pkcs7(block: &str) -> Result<Vec<CertificateDer<'static>>, Pkcs7Error> {
    let (base64, _) = block.split_once("-----END").ok_or(Pkcs7Error::NotPkcs7)?;
    from_ber(&decode_base64(base64.as_bytes()).ok_or(Pkcs7Error::NotBase64)?)
}

/// Reads the ContentInfo of a SignedData (RFC 5652, 3 and 5.1), or a single certificate.
fn from_ber(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Pkcs7Error> {
    let mut outer = Elements::new(bytes);
    let content_info = outer.expect(SEQUENCE)?;
    let mut fields = content_info.children();
    let first = fields.next()?.ok_or(Pkcs7Error::NotPkcs7)?;
    match first.tag {
        OBJECT_IDENTIFIER if first.content == SIGNED_DATA => {}
        // The first element of a certificate is the part that is signed, a sequence.
        SEQUENCE => return Ok(vec![CertificateDer::from(content_info.raw.to_vec())]),
        _ => return Err(Pkcs7Error::NotPkcs7),
    }
    let signed_data = fields.expect(CONTEXT_0)?.children().expect(SEQUENCE)?;
    let mut fields = signed_data.children();
    let _version = fields.next()?;
    let _digest_algorithms = fields.expect(SET)?;
    let _content = fields.expect(SEQUENCE)?;
    match fields.next()? {
        Some(certificates) if certificates.tag == CONTEXT_0 => from_set(&certificates),
        _ => Err(Pkcs7Error::NoCertificates),
    }
}

/// Reads the certificates field. Its other members, such as attribute certificates, have other tags.
fn from_set(set: &Element) -> Result<Vec<CertificateDer<'static>>, Pkcs7Error> {
    let mut found = Vec::new();
    let mut members = set.children();
    while let Some(member) = members.next()? {
        if member.tag == SEQUENCE {
            found.push(CertificateDer::from(member.raw.to_vec()));
        }
        if found.len() > MAX_CERTIFICATES {
            return Err(Pkcs7Error::TooManyCertificates);
        }
    }
    bounded(found)
}

fn bounded(found: Vec<CertificateDer<'static>>) -> Result<Vec<CertificateDer<'static>>, Pkcs7Error> {
    match found.len() {
        0 => Err(Pkcs7Error::NoCertificates),
        1..=MAX_CERTIFICATES => Ok(found),
        _ => Err(Pkcs7Error::TooManyCertificates),
    }
}

#[cfg(test)]
mod tests;
