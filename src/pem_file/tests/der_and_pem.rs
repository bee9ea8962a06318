//! Tests of files with DER, PEM and keys one after the other.

use super::*;

#[test]
fn der_and_pem_in_one_file_are_distinguished() {
    let Material {
        certificate,
        other,
        key,
        ..
    } = material();
    let (der, key_der) = (der_of(&certificate), der_of(&key));
    let joined = |parts: &[&[u8]]| parts.concat();
    let short = [
        &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..],
        &[0x11; 32],
    ]
    .concat();
    for (name, file, count, has_key) in [
        ("DER and a DER key", joined(&[&der, &key_der]), 1, true),
        ("DER and a PEM key", joined(&[&der, key.as_bytes()]), 1, true),
        (
            "DER, a line break and a PEM key",
            joined(&[&der, b"\n", key.as_bytes()]),
            1,
            true,
        ),
        ("DER and a short DER key", joined(&[&der, &short]), 1, true),
        ("DER and PEM", joined(&[&der, other.as_bytes()]), 2, false),
        (
            "DER, PEM and a PEM key",
            joined(&[&der, other.as_bytes(), key.as_bytes()]),
            2,
            true,
        ),
        (
            "PEM and a DER key",
            joined(&[certificate.as_bytes(), &key_der]),
            1,
            true,
        ),
        (
            "a DER key in the middle",
            joined(&[certificate.as_bytes(), &key_der, b"\n", other.as_bytes()]),
            2,
            true,
        ),
    ] {
        let found = parse(&file).unwrap_or_else(|content| panic!("{name}: {content}"));
        assert_eq!(
            (found.certificates.len(), found.has_private_key),
            (count, has_key),
            "{name}"
        );
    }
    for (name, file) in [
        ("a DER key", key_der.clone()),
        ("a DER key and a line break", joined(&[&key_der, b"\n"])),
        ("a short DER key and a line break", joined(&[&short, b"\r\n"])),
        ("a DER key and DER", joined(&[&key_der, &der])),
        ("a DER key and PEM", joined(&[&key_der, certificate.as_bytes()])),
        ("a DER key and its PEM", joined(&[&key_der, key.as_bytes()])),
        ("a DER key behind other bytes", joined(&[b"\x00\x01", &key_der])),
    ] {
        assert_eq!(parse(&file).unwrap_err(), Content::PrivateKey, "{name}");
    }
    let request = der_of(&material().request);
    assert_eq!(parse(&joined(&[&der, &request])).unwrap_err(), Content::SigningRequest);
}
