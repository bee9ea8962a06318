//! Tests of files without certificates, and their descriptions.

use super::*;

#[test]
fn content_other_than_certificates_is_described() {
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
        // The message never repeats the content, and has a next step.
        let said = format!("{found}; {}", found.next_step());
        for line in String::from_utf8_lossy(&file)
            .lines()
            .filter(|line| line.len() > 30 && !line.contains(' '))
        {
            assert!(!said.contains(line), "{said}");
        }
    }
}
