//! Tells by its structure what a piece of DER is.

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

/// One element: what there is of its content, and what follows.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
    is_whole: bool,
}

/// Whether bytes begin as DER does and no text: a SEQUENCE begins with the digit 0, but its length is no letter then.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    match bytes {
        [SEQUENCE, 0x80..=0x84, ..] => true,
        [SEQUENCE, length, rest @ ..] => usize::from(*length) == rest.len() && rest.contains(&0),
        _ => false,
    }
}

/// The certificate that bytes begin with, and what follows it.
pub(super) fn split_certificate(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, _) = X509Certificate::from_der(bytes).ok()?;
    bytes.split_at_checked(bytes.len() - rest.len())
}

/// What DER that does not begin with a certificate is.
pub(super) fn content(bytes: &[u8]) -> Content {
    if X509CertificationRequest::from_der(bytes).is_ok() {
        return Content::SigningRequest;
    }
    if CertificateRevocationList::from_der(bytes).is_ok() {
        return Content::RevocationList;
    }
    let Some(outer) = element(bytes).filter(|outer| outer.tag == SEQUENCE) else {
        return Content::Binary;
    };
    match by_structure(outer.content) {
        Some(content) => content,
        None if !outer.is_whole => Content::Cut,
        None => Content::Binary,
    }
}

/// Keys, PKCS#7 and PKCS#12 by their first two elements (RFC 5208, 5915, 8017, 5280, 2315, 7292).
fn by_structure(content: &[u8]) -> Option<Content> {
    let first = element(content)?;
    let second = element(first.rest).map(|second| second.tag);
    match (first.tag, first.content, second) {
        (INTEGER, [3], Some(SEQUENCE)) => Some(Content::Pkcs12),
        // PKCS#8, SEC 1 and PKCS#1; a certificate begins with another SEQUENCE.
        (INTEGER, _, Some(SEQUENCE | OCTET_STRING | INTEGER)) => Some(Content::PrivateKey),
        // PKCS#8, encrypted.
        (SEQUENCE, _, Some(OCTET_STRING)) => Some(Content::PrivateKey),
        (SEQUENCE, _, Some(BIT_STRING)) => Some(Content::PublicKey),
        (OBJECT_IDENTIFIER, SIGNED_DATA, _) => Some(Content::Pkcs7Der),
        _ => None,
    }
}

/// The first element of `bytes`, cut short where they are.
fn element(bytes: &[u8]) -> Option<Element<'_>> {
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
        // Of indefinite length, which is BER: all of the rest is looked at.
        0x80 => (after_first.len(), after_first),
        _ => return None,
    };
    let (content, rest) = after_length.split_at_checked(length).unwrap_or((after_length, &[]));
    Some(Element {
        tag,
        content,
        rest,
        is_whole: content.len() == length,
    })
}
