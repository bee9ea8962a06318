//! What people put where a certificate belongs.

mod marks;
mod properties;

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
fn what_is_plainly_a_certificate_is_read() {
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

#[test]
fn a_private_key_beside_a_certificate_is_noticed_in_whatever_form() {
    let Material { certificate, key, .. } = material();
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let url = key.replace('\n', "%0A").replace(' ', "%20").replace('+', "%2B");
    let certificate_body = STANDARD.encode(der_of(&certificate));
    for (name, beside, is_key) in [
        ("a block", key.clone(), true),
        ("one line with \\n", key.trim_end().replace('\n', "\\n"), true),
        ("one line with blanks", key.replace('\n', " "), true),
        ("base64 of its DER in one line", body.clone(), true),
        (
            "base64 of its DER in lines",
            key.lines()
                .filter(|line| !line.starts_with('-'))
                .collect::<Vec<_>>()
                .join("\n"),
            true,
        ),
        ("base64 of its PEM", STANDARD.encode(&key), true),
        ("URL-encoded", url.clone(), true),
        ("URL-encoded, dashes too", url.replace('-', "%2D"), true),
        ("a form's plus signs", key.replace('\n', "%0A").replace(' ', "+"), true),
        ("long dashes", key.replace("-----", "\u{2014}\u{2014}"), true),
        ("an assignment", format!("key = {body}"), true),
        ("in quotes", format!("\"key\": \"{body}\""), true),
        ("nothing", String::new(), false),
        ("base64 of a certificate", certificate_body, false),
        ("the words alone", "X509v3 Private Key Usage Period:".to_owned(), false),
        ("a comment", "# the private key is in the TPM".to_owned(), false),
    ] {
        for file in [format!("{certificate}\n{beside}\n"), format!("{beside}\n{certificate}")] {
            let found = parse(file.as_bytes()).unwrap_or_else(|content| panic!("{name}: {content}"));
            assert_eq!(found.has_private_key, is_key, "{name}");
        }
    }
}

#[test]
fn what_is_no_certificate_is_named() {
    let Material {
        certificate,
        key,
        request,
        ..
    } = material();
    let escaped = |pem: &str| pem.trim_end().replace('\n', "\\n");
    let pkcs7 = [
        &[0x30, 0x0d, 0x06, 0x09],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02][..],
        &[0xa0, 0],
    ]
    .concat();
    let pkcs7_der = [&[0x30, 0x81, 0x80][..], &pkcs7[2..], &[0; 115]].concat();
    let pkcs12 = [&[0x30, 0x82, 1, 0, 0x02, 1, 3, 0x30][..], &[0x80; 248]].concat();
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let body = |pem: &str| {
        pem.lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let key_der = der_of(&key);
    let half = &certificate[..certificate.len() / 2];
    let last_line_lost = certificate
        .lines()
        .take(certificate.lines().count() - 1)
        .collect::<Vec<_>>()
        .join("\n");
    let first_line_lost = certificate.lines().skip(1).collect::<Vec<_>>().join("\n");
    let aws = format!(
        "{{\n  \"certificateArn\": \"arn\",\n  \"certificatePem\": \"{}\"\n}}",
        escaped(&certificate)
    );
    let aws_key = format!(
        "{{\"certificatePem\": \"x\", \"keyPair\": {{\"PrivateKey\": \"{}\"}}}}",
        escaped(&key)
    );
    let text = |text: &str| text.as_bytes().to_vec();
    let cases: Vec<(Vec<u8>, Content)> = vec![
        (text(""), Content::Empty),
        (text("\n \t\r\n"), Content::Empty),
        (text("\u{feff}"), Content::Empty),
        (text(&request), Content::SigningRequest),
        (
            text(&relabelled(&request, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")),
            Content::SigningRequest,
        ),
        (
            text(&relabelled(&request, "CERTIFICATE REQUEST", "CERTIFICATE")),
            Content::SigningRequest,
        ),
        (text(&escaped(&request)), Content::SigningRequest),
        (der_of(&request), Content::SigningRequest),
        (text(&body(&request)), Content::SigningRequest),
        (text(&key), Content::PrivateKey),
        (
            text(&relabelled(&key, "PRIVATE KEY", "EC PRIVATE KEY")),
            Content::PrivateKey,
        ),
        (
            text(&relabelled(&key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
            Content::PrivateKey,
        ),
        (
            text(&relabelled(&key, "PRIVATE KEY", "OPENSSH PRIVATE KEY")),
            Content::PrivateKey,
        ),
        (
            text(&relabelled(&key, "PRIVATE KEY", "CERTIFICATE")),
            Content::PrivateKey,
        ),
        (text(&escaped(&key)), Content::PrivateKey),
        (text(&key.replace('\n', " ")), Content::PrivateKey),
        (text(&key[..key.len() / 2]), Content::PrivateKey),
        (text(&format!("{key}{half}")), Content::PrivateKey),
        (text(&aws_key), Content::PrivateKey),
        (text(&body(&key)), Content::PrivateKey),
        (key_der.clone(), Content::PrivateKey),
        (key_der[..key_der.len() - 9].to_vec(), Content::PrivateKey),
        (
            text("-----BEGIN PUBLIC KEY-----\nTUlH\n-----END PUBLIC KEY-----\n"),
            Content::PublicKey,
        ),
        (
            text("-----BEGIN PKCS7-----\nTUlH\n-----END PKCS7-----\n"),
            Content::Pkcs7,
        ),
        (text("-----BEGIN CMS-----\nTUlH\n-----END CMS-----\n"), Content::Pkcs7),
        (text(&base64(&pkcs7_der)), Content::Pkcs7),
        (pkcs7_der, Content::Pkcs7Der),
        (
            text(&relabelled(&certificate, "CERTIFICATE", "TRUSTED CERTIFICATE")),
            Content::TrustedCertificate,
        ),
        (pkcs12, Content::Pkcs12),
        (vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], Content::KeyStore),
        (
            text("-----BEGIN X509 CRL-----\nTUlH\n-----END X509 CRL-----\n"),
            Content::RevocationList,
        ),
        (
            text("-----BEGIN DH PARAMETERS-----\nTUlH\n-----END DH PARAMETERS-----\n"),
            Content::OtherBlocks,
        ),
        (text(&aws), Content::AwsJson),
        (text("{\"message\": \"denied\"}"), Content::Json),
        (text("<!DOCTYPE html>\n<html>"), Content::Markup),
        (text(&escaped(&certificate)), Content::EscapedLineBreaks),
        (
            text(&format!("\"{}\"", escaped(&certificate))),
            Content::EscapedLineBreaks,
        ),
        (text(&certificate.replace('\n', " ")), Content::JoinedLines),
        (
            text(&certificate.replace("-----", "\u{2014}\u{2014}-")),
            Content::ChangedMarks,
        ),
        (text(&certificate.replace("-----", "----")), Content::ChangedMarks),
        (text(&body(&certificate)), Content::BareBase64),
        (text(half), Content::Cut),
        (text(&last_line_lost), Content::Cut),
        (text(&first_line_lost), Content::Cut),
        (text(&format!("{last_line_lost}\n{certificate}")), Content::Cut),
        (der_of(&certificate)[..200].to_vec(), Content::Cut),
        (text(&certificate.replacen("\nMII", "\nM*I", 1)), Content::Damaged(1)),
        (
            text(&format!(
                "x\n\n{}",
                certificate.replacen("END CERTIFICATE", "END CERTIFICAT", 1)
            )),
            Content::Damaged(3),
        ),
        (
            text("-----BEGIN CERTIFICATE-----\nZ2F0ZXBvc3Q=\n-----END CERTIFICATE-----\n"),
            Content::NotX509(1),
        ),
        (
            text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
            Content::NotX509(1),
        ),
        (
            text(&format!(
                "{certificate}-----BEGIN CERTIFICATE-----\nZ2F0\n-----END CERTIFICATE-----\n"
            )),
            Content::NotX509(2),
        ),
        (vec![0xff, 0xfe, b'-', 0, b'-'], Content::DamagedUtf16),
        (vec![0x1f, 0x8b, 8, 0, 0], Content::Binary),
        (vec![0, 1, 2, 3, 0xff], Content::Binary),
        (text("see the other file"), Content::Text),
    ];
    for (file, content) in cases {
        let shown = String::from_utf8_lossy(&file).chars().take(60).collect::<String>();
        let found = parse(&file).expect_err(&shown);
        assert_eq!(found, content, "{shown:?}");
        // Whatever it is, nothing of it is repeated, and there is a step.
        let said = format!("{found}; {}", found.next_step());
        for line in String::from_utf8_lossy(&file)
            .lines()
            .filter(|line| line.len() > 30 && !line.contains(' '))
        {
            assert!(!said.contains(line), "{said}");
        }
    }
}
