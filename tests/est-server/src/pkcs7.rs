//! Writes a certs-only PKCS#7 (RFC 5652 SignedData without signers), as DER or as BER of indefinite length.

use crate::base64_text::encode_in_lines;
use crate::x509::{SEQUENCE, SET, element, object_identifier};

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const CONTEXT_0: u8 = 0xa0;
const VERSION_1: &[u8] = &[0x02, 0x01, 0x01];

/// Writes an element. Each implementation has its own form of length.
type Write = fn(u8, &[&[u8]]) -> Vec<u8>;

/// Encodes certificates as DER.
pub(crate) fn der(certificates: &[Vec<u8>]) -> Vec<u8> {
    write(element, certificates)
}

/// Encodes certificates as BER: every constructed element outside of them has an indefinite length.
pub(crate) fn indefinite_ber(certificates: &[Vec<u8>]) -> Vec<u8> {
    write(indefinite, certificates)
}

fn write(constructed: Write, certificates: &[Vec<u8>]) -> Vec<u8> {
    let certificates: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    // The field is optional, and must be left out if it is empty.
    let certificates = match certificates.is_empty() {
        true => Vec::new(),
        false => constructed(CONTEXT_0, &certificates),
    };
    let signed_data = constructed(
        SEQUENCE,
        &[
            VERSION_1,
            &constructed(SET, &[]),
            &constructed(SEQUENCE, &[&object_identifier(DATA)]),
            &certificates,
            &constructed(SET, &[]),
        ],
    );
    constructed(
        SEQUENCE,
        &[
            &object_identifier(SIGNED_DATA),
            &constructed(CONTEXT_0, &[&signed_data]),
        ],
    )
}

fn indefinite(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut ber = vec![tag, 0x80];
    for part in parts {
        ber.extend_from_slice(part);
    }
    ber.extend_from_slice(&[0, 0]);
    ber
}

/// Returns a PEM block.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = encode_in_lines(der, 64, "\n");
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// Returns a CERTIFICATE block for each certificate.
pub(crate) fn pem_certificates(certificates: &[Vec<u8>]) -> String {
    certificates.iter().map(|der| pem("CERTIFICATE", der)).collect()
}
