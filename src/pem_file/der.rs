//! Identifies DER by its structure.

use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::Content;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// signedData of PKCS#7, 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// The encryption schemes of PKCS#8: 1.2.840.113549.1.5 (PKCS#5) and 1.2.840.113549.1.12.1 (PKCS#12).
const ENCRYPTIONS: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01],
];
/// Tags of the optional elements of an EC private key (RFC 5915).
const PARAMETERS: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0xa1;
/// The shortest content of a private key. An Ed25519 key in PKCS#8 has 46 bytes.
const SHORTEST_KEY: usize = 40;
/// The shortest secret in a key, of which only the beginning may exist.
const SHORTEST_SECRET: usize = 8;

/// An element: its content, as far as it exists, and the bytes that follow.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
    is_complete: bool,
}

/// Returns whether bytes are DER and not text. A SEQUENCE begins with the digit 0, but then its length is not a character, or it contains a
/// zero byte. A line break may follow.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    match bytes {
        [SEQUENCE, 0x80..=0x84, ..] => true,
        [SEQUENCE, length, rest @ ..] => rest
            .get(..usize::from(*length))
            .is_some_and(|content| content.contains(&0)),
        _ => false,
    }
}

/// Returns whether bytes begin with a private key, whose end may be missing.
pub(super) fn is_private_key(bytes: &[u8]) -> bool {
    parse_element(bytes).is_some_and(|outer| outer.tag == SEQUENCE && is_key(outer.content))
}

/// Returns whether `bytes` contain a complete private key.
pub(super) fn has_private_key(bytes: &[u8]) -> bool {
    let mut places = bytes.iter().enumerate().filter(|(_, byte)| **byte == SEQUENCE);
    places.any(|(place, _)| {
        let outer = bytes.get(place..).and_then(parse_element);
        outer.is_some_and(|outer| outer.is_complete && outer.content.len() >= SHORTEST_KEY && is_key(outer.content))
    })
}

/// Splits bytes after the certificate at the beginning; `None` if there is none.
pub(super) fn split_certificate(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, _) = X509Certificate::from_der(bytes).ok()?;
    bytes.split_at_checked(bytes.len() - rest.len())
}

/// Identifies DER that does not begin with a certificate.
pub(super) fn identify(bytes: &[u8]) -> Content {
    if X509CertificationRequest::from_der(bytes).is_ok() {
        return Content::SigningRequest;
    }
    if CertificateRevocationList::from_der(bytes).is_ok() {
        return Content::RevocationList;
    }
    let Some(outer) = parse_element(bytes).filter(|outer| outer.tag == SEQUENCE) else {
        return Content::Binary;
    };
    match identify_by_structure(outer.content) {
        Some(content) => content,
        None if !outer.is_complete => Content::Cut,
        None => Content::Binary,
    }
}

/// Identifies public keys, PKCS#7 and PKCS#12 by their first two elements (RFC 5280, 8017, 2315, 7292), and private keys.
fn identify_by_structure(content: &[u8]) -> Option<Content> {
    let first = parse_element(content)?;
    let second = parse_element(first.rest).map(|second| second.tag);
    if is_key(content) {
        return Some(Content::PrivateKey);
    }
    match (first.tag, first.content, second) {
        (INTEGER, [3], Some(SEQUENCE)) => Some(Content::Pkcs12),
        (SEQUENCE, _, Some(BIT_STRING)) | (INTEGER, _, Some(INTEGER)) => Some(Content::PublicKey),
        (OBJECT_IDENTIFIER, SIGNED_DATA, _) => Some(Content::Pkcs7Der),
        _ => None,
    }
}

/// Returns whether the content of a SEQUENCE is that of a private key (RFC 5958, 5915, 8017). A certificate of version 1, a request and a
/// revocation list begin in the same way, so the algorithm and the element after it are checked, too.
fn is_key(content: &[u8]) -> bool {
    let Some(first) = parse_element(content) else {
        return false;
    };
    let Some(second) = parse_element(first.rest) else {
        return false;
    };
    let third = parse_element(second.rest).map(|third| third.tag);
    let encrypts = |algorithm: &[u8]| {
        let identifier = parse_element(algorithm).filter(|identifier| identifier.tag == OBJECT_IDENTIFIER);
        identifier.is_some_and(|identifier| ENCRYPTIONS.iter().any(|arc| identifier.content.starts_with(arc)))
    };
    match (first.tag, first.content, second.tag) {
        (INTEGER, [0 | 1], SEQUENCE) => {
            second.content.first() == Some(&OBJECT_IDENTIFIER) && third == Some(OCTET_STRING)
        }
        // RFC 5915: parameters and public key may follow. step-ca's certificates say in the same way which provisioner allowed them, but with
        // another OCTET STRING.
        (INTEGER, [1], OCTET_STRING) => {
            second.content.len() >= SHORTEST_SECRET && matches!(third, None | Some(PARAMETERS | PUBLIC_KEY))
        }
        (INTEGER, [0 | 1], INTEGER) => second.content.len() >= SHORTEST_SECRET,
        (SEQUENCE, algorithm, OCTET_STRING) => encrypts(algorithm),
        _ => false,
    }
}

/// Parses the first element of `bytes`. Its content may be incomplete.
fn parse_element(bytes: &[u8]) -> Option<Element<'_>> {
    let (&tag, after_tag) = bytes.split_first()?;
    let (&first, after_first) = after_tag.split_first()?;
    let (length, after_length) = match first {
        0..=0x7f => (usize::from(first), after_first),
        0x81..=0x84 => {
            let (digits, rest) = after_first.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
            (length, rest)
        }
        // The indefinite length of BER: all remaining bytes are the content.
        0x80 => (after_first.len(), after_first),
        _ => return None,
    };
    let (content, rest) = after_length.split_at_checked(length).unwrap_or((after_length, &[]));
    Some(Element {
        tag,
        content,
        rest,
        is_complete: content.len() == length,
    })
}
