//! Tests of content that people put in place of a certificate.

mod content;
mod der_and_pem;
mod marks;
mod private_key;
mod properties;
mod step_ca;
mod transfer;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// A self-signed certificate and its key, made once for all cases.
struct Material {
    certificate: String,
    other: String,
    key: String,
    request: String,
}

fn material() -> Material {
    let one = rcgen::generate_simple_self_signed(["gw-1".to_owned()]).unwrap();
    let two = rcgen::generate_simple_self_signed(["gw-2".to_owned()]).unwrap();
    let request = rcgen::CertificateParams::default()
        .serialize_request(&one.signing_key)
        .unwrap();
    Material {
        certificate: one.cert.pem(),
        other: two.cert.pem(),
        key: one.signing_key.serialize_pem(),
        request: request.pem().unwrap(),
    }
}

fn der_of(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

fn relabelled(pem: &str, from: &str, to: &str) -> String {
    pem.replace(&format!("BEGIN {from}-"), &format!("BEGIN {to}-"))
        .replace(&format!("END {from}-"), &format!("END {to}-"))
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn recognisable_certificates_are_read() {
    let Material {
        certificate,
        other,
        key,
        request,
    } = material();
    let one = certificate.clone().into_bytes();
    let bom = "\u{feff}";
    let with_key = format!("{certificate}{key}");
    for (name, file, count) in [
        ("PEM", one.clone(), 1),
        ("two", format!("{certificate}{other}").into_bytes(), 2),
        ("a byte order mark", format!("{bom}{certificate}").into_bytes(), 1),
        (
            "a byte order mark before the second",
            format!("{certificate}{bom}{other}").into_bytes(),
            2,
        ),
        ("CRLF", certificate.replace('\n', "\r\n").into_bytes(), 1),
        ("CR alone", certificate.replace('\n', "\r").into_bytes(), 1),
        ("indented", certificate.replace('\n', "\n    ").into_bytes(), 1),
        ("blanks at the ends", certificate.replace('\n', "  \n").into_bytes(), 1),
        (
            "blank lines around and within",
            format!("\n\n{}\n\n", certificate.replace('\n', "\n\n")).into_bytes(),
            1,
        ),
        ("no last line break", certificate.trim_end().as_bytes().to_vec(), 1),
        (
            "joined without a line break",
            format!("{}{other}", certificate.trim_end()).into_bytes(),
            2,
        ),
        (
            "text of openssl x509 -text",
            format!("Certificate:\n    Data: M\u{fc}nchen\n{certificate}").into_bytes(),
            1,
        ),
        (
            "Latin-1 around",
            [b"subject=O=M\xfcnchen\n".as_slice(), &one].concat(),
            1,
        ),
        (
            "bag attributes",
            format!("Bag Attributes\n    localKeyID: 01\n{certificate}").into_bytes(),
            1,
        ),
        (
            "X509 label",
            relabelled(&certificate, "CERTIFICATE", "X509 CERTIFICATE").into_bytes(),
            1,
        ),
        ("DER", der_of(&certificate), 1),
        ("two in DER", [der_of(&certificate), der_of(&other)].concat(), 2),
        (
            "DER and a line break",
            [der_of(&certificate), b"\n".to_vec()].concat(),
            1,
        ),
        (
            "UTF-16, little endian",
            utf16(&format!("{bom}{certificate}"), u16::to_le_bytes),
            1,
        ),
        (
            "UTF-16, big endian",
            utf16(&format!("{bom}{certificate}"), u16::to_be_bytes),
            1,
        ),
        ("UTF-16 without a mark", utf16(&certificate, u16::to_le_bytes), 1),
        ("with its request", format!("{certificate}{request}").into_bytes(), 1),
        ("with a key", with_key.into_bytes(), 1),
    ] {
        let found = parse(&file).unwrap_or_else(|content| panic!("{name}: {content}"));
        assert_eq!(found.certificates.len(), count, "{name}");
        assert_eq!(
            found.certificates.first().map(|der| der.to_vec()),
            Some(der_of(&certificate)),
            "{name}"
        );
        assert_eq!(found.has_private_key, name == "with a key", "{name}");
    }
}
