//! Encodes certificates in DER directly, so that a subject can be copied byte for byte and any fault can be included.

use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::error::Error;

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const BOOLEAN_TRUE: &[u8] = &[0x01, 0x01, 0xff];

/// The content of object identifiers.
pub(crate) mod oid {
    pub(crate) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    pub(crate) const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
    pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
    pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    pub(crate) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
    pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
    pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
    pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
}

/// Encodes a DER element: the tag, and the parts of its content.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = vec![tag];
    let bytes = length.to_be_bytes();
    let significant = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let significant = bytes.get(significant..).unwrap_or_default();
    match length {
        0..0x80 => der.push(u8::try_from(length).unwrap_or(0)),
        _ => {
            der.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            der.extend_from_slice(significant);
        }
    }
    for part in parts {
        der.extend_from_slice(part);
    }
    der
}

pub(crate) fn object_identifier(content: &[u8]) -> Vec<u8> {
    element(0x06, &[content])
}

/// Encodes a name that consists of a common name only.
pub(crate) fn common_name(text: &str) -> Vec<u8> {
    let value = element(UTF8_STRING, &[text.as_bytes()]);
    let attribute = element(SEQUENCE, &[&object_identifier(oid::COMMON_NAME), &value]);
    element(SEQUENCE, &[&element(SET, &[&attribute])])
}

/// An extension of a certificate.
pub(crate) struct Extension {
    id: &'static [u8],
    is_critical: bool,
    value: Vec<u8>,
}

impl Extension {
    fn new(id: &'static [u8], is_critical: bool, value: Vec<u8>) -> Self {
        Self { id, is_critical, value }
    }

    pub(crate) fn basic_constraints(is_ca: bool) -> Self {
        let content: &[u8] = if is_ca { BOOLEAN_TRUE } else { &[] };
        Self::new(oid::BASIC_CONSTRAINTS, is_ca, element(SEQUENCE, &[content]))
    }

    /// Returns the key usage: keyCertSign and cRLSign for a CA, digitalSignature for a device.
    pub(crate) fn key_usage(is_ca: bool) -> Self {
        let bits: &[u8] = if is_ca { &[0x01, 0x06] } else { &[0x07, 0x80] };
        Self::new(oid::KEY_USAGE, true, element(BIT_STRING, &[bits]))
    }

    pub(crate) fn extended_key_usage(purpose: &[u8]) -> Self {
        let purpose = object_identifier(purpose);
        Self::new(oid::EXTENDED_KEY_USAGE, false, element(SEQUENCE, &[&purpose]))
    }

    pub(crate) fn subject_key_id(id: &[u8]) -> Self {
        Self::new(oid::SUBJECT_KEY_ID, false, element(OCTET_STRING, &[id]))
    }

    pub(crate) fn authority_key_id(id: &[u8]) -> Self {
        Self::new(
            oid::AUTHORITY_KEY_ID,
            false,
            element(SEQUENCE, &[&element(0x80, &[id])]),
        )
    }

    pub(crate) fn subject_alt_name(value: Vec<u8>) -> Self {
        Self::new(oid::SUBJECT_ALT_NAME, false, value)
    }

    fn der(&self) -> Vec<u8> {
        let critical: &[u8] = if self.is_critical { BOOLEAN_TRUE } else { &[] };
        let value = element(OCTET_STRING, &[&self.value]);
        element(SEQUENCE, &[&object_identifier(self.id), critical, &value])
    }
}

/// A certificate without its signature. Names and the public key are in DER.
pub(crate) struct Unsigned<'a> {
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) key_info: &'a [u8],
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    pub(crate) extensions: Vec<Extension>,
}

impl Unsigned<'_> {
    /// Signs it with `sign`, whose AlgorithmIdentifier is `algorithm`. Returns the certificate and its serial number in hexadecimal.
    pub(crate) fn sign(
        &self,
        algorithm: &[u8],
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>,
    ) -> Result<(Vec<u8>, String), Error> {
        let serial = serial()?;
        let extensions: Vec<Vec<u8>> = self.extensions.iter().map(Extension::der).collect();
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let to_be_signed = element(
            SEQUENCE,
            &[
                &element(0xa0, &[&element(INTEGER, &[&[2]])]),
                &element(INTEGER, &[&serial]),
                algorithm,
                self.issuer,
                &element(SEQUENCE, &[&moment(self.not_before), &moment(self.not_after)]),
                self.subject,
                self.key_info,
                &element(0xa3, &[&element(SEQUENCE, &extensions)]),
            ],
        );
        let signature = sign(&to_be_signed)?;
        let signature = element(BIT_STRING, &[&[0], &signature]);
        let serial = serial.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((element(SEQUENCE, &[&to_be_signed, algorithm, &signature]), serial))
    }
}

/// Returns the key identifier of a public key (RFC 7093, method 1).
pub(crate) fn key_id(key_info: &[u8]) -> Vec<u8> {
    digest(&SHA256, key_info).as_ref().iter().take(20).copied().collect()
}

/// Returns sixteen random bytes whose first one is neither zero nor negative.
fn serial() -> Result<[u8; 16], Error> {
    let random = ring::rand::SystemRandom::new();
    let bytes: ring::rand::Random<[u8; 16]> =
        ring::rand::generate(&random).map_err(|_| Error::Ca("no random numbers".to_owned()))?;
    let mut bytes = bytes.expose();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(bytes)
}

/// Encodes a time: UTCTime up to 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5).
fn moment(time: SystemTime) -> Vec<u8> {
    let time = OffsetDateTime::from(time);
    let (tag, text) = match time.year() {
        1950..=2049 => (
            0x17,
            time.format(format_description!(
                "[year repr:last_two][month][day][hour][minute][second]Z"
            )),
        ),
        _ => (
            0x18,
            time.format(format_description!("[year][month][day][hour][minute][second]Z")),
        ),
    };
    element(tag, &[text.unwrap_or_default().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal() {
        for (length, head) in [
            (0, vec![0x30, 0]),
            (1, vec![0x30, 1]),
            (127, vec![0x30, 127]),
            (128, vec![0x30, 0x81, 128]),
            (255, vec![0x30, 0x81, 255]),
            (256, vec![0x30, 0x82, 1, 0]),
            (70_000, vec![0x30, 0x83, 1, 0x11, 0x70]),
        ] {
            let der = element(SEQUENCE, &[&vec![7; length]]);
            assert!(der.starts_with(&head), "{length}");
            assert_eq!(der.len(), head.len() + length);
        }
    }
}
