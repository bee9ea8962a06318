//! Answers as servers write them, and malformed answers.

use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertificateParams, KeyPair};

use super::*;

/// Encodes a DER element.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length @ 0..0x80) => element.push(length),
        _ => {
            element.push(0x83);
            element.extend_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes()[1..]);
        }
    }
    element.extend(content);
    element
}

/// Encodes the same with an indefinite length.
fn ber(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80][..], &parts.concat(), &[0, 0]].concat()
}

type Write = fn(u8, &[&[u8]]) -> Vec<u8>;

fn pkcs7(write: Write, certificates: &[u8]) -> Vec<u8> {
    let data = der(
        OBJECT_IDENTIFIER,
        &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]],
    );
    let certificates = match certificates.is_empty() {
        true => Vec::new(),
        false => write(CONTEXT_0, &[certificates]),
    };
    let signed_data = write(
        SEQUENCE,
        &[
            &[2, 1, 1],
            &write(SET, &[]),
            &write(SEQUENCE, &[&data]),
            &certificates,
            &write(SET, &[]),
        ],
    );
    write(
        SEQUENCE,
        &[
            &der(OBJECT_IDENTIFIER, &[SIGNED_DATA]),
            &write(CONTEXT_0, &[&signed_data]),
        ],
    )
}

fn certificate() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    CertificateParams::default().self_signed(&key).unwrap().der().to_vec()
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    pem::encode(&pem::Pem::new(label, der)).into_bytes()
}

#[test]
fn each_form_that_servers_send_is_read() {
    let both = [certificate(), certificate()];
    let joined = both.concat();
    let plain = pkcs7(der, &joined);
    let base64 = BASE64.encode(&plain);
    let lines = |width: usize, line_break: &str| {
        let chunks: Vec<&[u8]> = base64.as_bytes().chunks(width).collect();
        chunks.join(line_break.as_bytes())
    };
    let certificate_blocks = [pem("CERTIFICATE", &both[0]), pem("CERTIFICATE", &both[1])].concat();
    for (name, body) in [
        ("base64 in one line", base64.clone().into_bytes()),
        (
            "base64 with a line break at its end",
            format!("{base64}\r\n").into_bytes(),
        ),
        ("lines of 64", lines(64, "\n")),
        ("lines of 76 with CR LF", lines(76, "\r\n")),
        ("lines of 7 with blanks and tabs", lines(7, " \r\n\t ")),
        ("a byte order mark", [b"\xef\xbb\xbf", base64.as_bytes()].concat()),
        ("no padding", base64.trim_end_matches('=').to_owned().into_bytes()),
        (
            "BER of indefinite length",
            BASE64.encode(pkcs7(ber, &joined)).into_bytes(),
        ),
        ("bare DER", plain.clone()),
        ("bare BER", pkcs7(ber, &joined)),
        ("bare DER with a line break", [&plain[..], b"\n"].concat()),
        ("PEM", pem("PKCS7", &plain)),
        ("PEM of CMS", pem("CMS", &plain)),
        (
            "PEM with text before it",
            [b"subject=CN = gw\n\n", &pem("PKCS7", &plain)[..]].concat(),
        ),
        ("PEM of BER", pem("PKCS7", &pkcs7(ber, &joined))),
        ("certificate blocks", certificate_blocks.clone()),
        ("base64 of PEM", BASE64.encode(pem("PKCS7", &plain)).into_bytes()),
        (
            "base64 of certificate blocks",
            BASE64.encode(&certificate_blocks).into_bytes(),
        ),
        (
            "an attribute certificate between",
            BASE64
                .encode(pkcs7(
                    der,
                    &[&both[0][..], &der(0xa1, &[&[2, 1, 1]]), &both[1]].concat(),
                ))
                .into_bytes(),
        ),
    ] {
        let found = certificates(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            found,
            both.each_ref().map(|der| CertificateDer::from(der.as_slice())),
            "{name}"
        );
    }
    let alone = certificates(BASE64.encode(&both[0]).as_bytes()).unwrap();
    assert_eq!(
        alone,
        [CertificateDer::from(both[0].as_slice())],
        "a certificate by itself"
    );
}

#[test]
fn content_without_certificates_is_named() {
    let one = certificate();
    let plain = pkcs7(der, &one);
    let base64 = BASE64.encode(&plain);
    let small = der(SEQUENCE, &[&[2, 1, 1]]);
    let enveloped = der(
        OBJECT_IDENTIFIER,
        &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03]],
    );
    let half = base64.len() / 8 * 4;
    for (body, expected) in [
        (Vec::new(), Pkcs7Error::Empty),
        (b" \r\n\t".to_vec(), Pkcs7Error::Empty),
        (vec![b'A'; MAX_BODY + 1], Pkcs7Error::TooLarge),
        (b"<!DOCTYPE html><html></html>".to_vec(), Pkcs7Error::WebPage),
        (b"\n<html>".to_vec(), Pkcs7Error::WebPage),
        (base64.replacen('A', "%", 1).into_bytes(), Pkcs7Error::NotBase64),
        (b"{\"error\":\"no\"}".to_vec(), Pkcs7Error::NotBase64),
        (base64[..half].to_owned().into_bytes(), Pkcs7Error::NotPkcs7),
        (b"QUJD".to_vec(), Pkcs7Error::NotPkcs7),
        (plain[..plain.len() - 1].to_vec(), Pkcs7Error::NotPkcs7),
        (BASE64.encode(&enveloped).into_bytes(), Pkcs7Error::NotPkcs7),
        (
            BASE64.encode(der(SEQUENCE, &[&enveloped])).into_bytes(),
            Pkcs7Error::NotPkcs7,
        ),
        (pem("CERTIFICATE REQUEST", &one), Pkcs7Error::NotPkcs7),
        (b"-----BEGIN PKCS7-----\nMIIB".to_vec(), Pkcs7Error::NotPkcs7),
        (BASE64.encode(pkcs7(der, &[])).into_bytes(), Pkcs7Error::NoCertificates),
        (BASE64.encode(pkcs7(ber, &[])).into_bytes(), Pkcs7Error::NoCertificates),
        (
            BASE64
                .encode(pkcs7(der, &small.repeat(MAX_CERTIFICATES + 1)))
                .into_bytes(),
            Pkcs7Error::TooManyCertificates,
        ),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!(certificates(&body), Err(expected), "{shown}");
    }
}

#[test]
fn no_cut_or_flipped_byte_does_harm() {
    let plain = pkcs7(ber, &certificate());
    for end in 0..plain.len() {
        let _ = certificates(&plain[..end]);
        let mut flipped = plain.clone();
        flipped[end] ^= 0x81;
        let _ = certificates(&flipped);
    }
}
