//! Tests of private keys next to a valid certificate, in the forms that programs write, and of text that only looks like a key.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

/// The second part of `openssl pkey -text`, without its PEM block.
const PKEY_TEXT: &str = "Private-Key: (256 bit)\npriv:\n    4e:9f:a3:11:5c:77:d0:21:8b:6e:90:4a:c5:3d:ee:\n    12:07:b1:\npub:\n    \
                         04:1f:\nASN1 OID: prime256v1\n";
const RSA_TEXT: &str = "privateExponent:\n    00:9f:a3:11:5c:77:d0:21:8b:6e:90:4a:c5:3d:ee:\n    12:07:b1:aa\n";
const PPK: &str = "PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\nEncryption: none\nComment: x\nPublic-Lines: 1\nAAAA\n\
                   Private-Lines: 1\nAAAAIQDx\nPrivate-MAC: 00\n";
const JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

fn hex(bytes: &[u8], separator: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(separator)
}

/// Returns lines in the format of `xxd` or `hexdump -C`.
fn dump(bytes: &[u8], is_xxd: bool) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(number, line)| {
        let shown: String = line
            .iter()
            .map(|byte| {
                if byte.is_ascii_graphic() {
                    char::from(*byte)
                } else {
                    '.'
                }
            })
            .collect();
        let groups: Vec<String> = line.chunks(2).map(|pair| hex(pair, "")).collect();
        match is_xxd {
            true => format!("{:08x}: {:39}  {shown}\n", number * 16, groups.join(" ")),
            false => format!("{:08x}  {:48} |{shown}|\n", number * 16, hex(line, " ")),
        }
    });
    lines.collect()
}

fn wrapped(text: &str, width: usize) -> String {
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(width)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    lines.join("\n")
}

#[test]
fn a_private_key_beside_a_certificate_is_found_in_any_form() {
    let Material { certificate, key, .. } = material();
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let der = der_of(&key);
    let url = key.replace('\n', "%0A").replace(' ', "%20").replace('+', "%2B");
    let base64url = URL_SAFE_NO_PAD.encode(&der);
    let openssh = STANDARD.encode([b"openssh-key-v1\0".as_slice(), &[0; 60]].concat());
    let twice = STANDARD.encode(STANDARD.encode(&key));
    let sec1 = [
        &[0x30, 0x31, 2, 1, 1, 4, 0x20][..],
        &[0x5a; 32],
        &[0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
    ]
    .concat();
    let pkcs1 = [&[0x30, 0x82, 2, 0x5c, 2, 1, 0, 2, 0x81, 0x81, 0][..], &[0xa5; 120]].concat();
    let encrypted = [
        &[
            0x30, 0x81, 0x9b, 0x30, 0x57, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0d,
        ][..],
        &[0x30; 76],
        &[4, 0x40],
        &[7; 64],
    ]
    .concat();
    let quoted = |text: &str| text.replace('\n', "\\n");
    let mut missed = Vec::new();
    for (name, beside) in [
        ("a block", key.clone()),
        ("one line with \\n", quoted(key.trim_end())),
        ("one line with blanks", key.replace('\n', " ")),
        ("base64 of its DER in one line", body.clone()),
        ("base64 of its DER in lines", wrapped(&body, 64)),
        ("base64 of its DER in short lines", wrapped(&body, 19)),
        ("base64 of its PEM", STANDARD.encode(&key)),
        ("base64 of its PEM in lines", wrapped(&STANDARD.encode(&key), 76)),
        ("base64url", base64url.clone()),
        ("base64url in a sentence", format!("the secret {base64url} is it")),
        ("base64url of its PEM", URL_SAFE_NO_PAD.encode(&key)),
        ("base64 twice", twice.clone()),
        ("base64 twice in lines", wrapped(&twice, 76)),
        ("base64 three times", STANDARD.encode(&twice)),
        ("base64 of both as PEM", STANDARD.encode(format!("{certificate}{key}"))),
        (
            "base64 with a number before each line",
            format!("1: {}", wrapped(&body, 64).replace('\n', "\n2: ")),
        ),
        (
            "base64 as a program's strings",
            format!("\"{}\";", wrapped(&body, 48).replace('\n', "\" +\n\"")),
        ),
        ("base64 with escaped line breaks", quoted(&wrapped(&body, 64))),
        ("base64 with escaped slashes", body.replace('/', "\\/")),
        ("base64 URL-encoded", body.replace('+', "%2B").replace('/', "%2f")),
        ("hexadecimal", hex(&der, "")),
        ("hexadecimal in capitals", hex(&der, "").to_uppercase()),
        ("hexadecimal with a name", format!("key={}", hex(&der, ""))),
        ("hexadecimal with colons", hex(&der, ":")),
        ("hexadecimal with colons in lines", wrapped(&hex(&der, ":"), 45)),
        ("hexadecimal in lines", wrapped(&hex(&der, ""), 60)),
        ("an array of C", format!("{{0x{}}};", hex(&der, ", 0x"))),
        ("a string of C", format!("\"\\x{}\"", hex(&der, "\\x"))),
        ("hexadecimal of its PEM", hex(key.as_bytes(), "")),
        ("xxd", dump(&der, true)),
        ("xxd of its PEM", dump(key.as_bytes(), true)),
        ("hexdump -C", dump(&der, false)),
        (
            "openssl asn1parse",
            format!(
                "  28:d=1  hl=2 l= 109 prim: OCTET STRING      [HEX DUMP]:{}",
                hex(&sec1, "")
            ),
        ),
        ("SEC 1", STANDARD.encode(&sec1)),
        ("PKCS#1", STANDARD.encode(&pkcs1)),
        ("encrypted PKCS#8", STANDARD.encode(&encrypted)),
        ("OpenSSH", openssh),
        ("openssl pkey -text", PKEY_TEXT.to_owned()),
        ("openssl rsa -text", RSA_TEXT.to_owned()),
        (
            "a labelled number",
            format!("private_key: {}", "4e9fa3115c77d0218b6e904ac53dee12"),
        ),
        (
            "WireGuard",
            "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=".to_owned(),
        ),
        ("PuTTY", PPK.to_owned()),
        ("PuTTY as base64", STANDARD.encode(PPK)),
        ("a JSON web key", JWK.to_owned()),
        ("a JSON web key in JSON", quoted(JWK).replace('"', "\\\"")),
        ("a JSON web key as base64", STANDARD.encode(JWK)),
        (
            "a JSON web key as YAML",
            JWK.replace(['"', '{', '}'], "").replace(',', "\n").replace(':', ": "),
        ),
        ("an XML key", "<ECKeyValue><D>AA==</D></ECKeyValue>".to_owned()),
        (
            "PGP",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----\n".to_owned(),
        ),
        ("SSH2", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n".to_owned()),
        ("no hyphens", key.replace('-', "")),
        (
            "no-break spaces",
            key.replace("PRIVATE KEY", "PRIVATE\u{a0}KEY").replace('-', ""),
        ),
        ("URL-encoded", url.clone()),
        ("URL-encoded, dashes too", url.replace('-', "%2D")),
        ("a form's plus signs", key.replace('\n', "%0A").replace(' ', "+")),
        ("HTML", key.replace('-', "&#45;").replace('+', "&#43;")),
        ("quoted-printable", key.replace('-', "=2D").replace("=\n", "=3D\n")),
        ("JSON's escapes", quoted(&key).replace('-', "\\u002d")),
        ("long dashes", key.replace("-----", "\u{2014}\u{2014}")),
        ("an assignment", format!("key = {body}")),
        ("in quotes", format!("\"key\": \"{body}\"")),
        ("in the middle of JSON", format!("{{\"a\": \"{body}\", \"b\": 1}}")),
    ] {
        for file in [format!("{certificate}\n{beside}\n"), format!("{beside}\n{certificate}")] {
            let has_key = parse(file.as_bytes()).map(|found| found.has_private_key);
            if has_key != Ok(true) {
                missed.push(format!("{name}: {has_key:?}\n{file}"));
            }
        }
        // A key alone is described in the same way.
        let alone = parse(beside.as_bytes());
        if alone != Err(Content::PrivateKey) {
            missed.push(format!("{name} alone: {alone:?}\n{beside}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn text_that_resembles_a_private_key_is_not_one() {
    let Material {
        certificate,
        other,
        request,
        ..
    } = material();
    let public_jwk = JWK.split(",\n").next().unwrap().to_owned() + "}";
    for (name, beside) in [
        ("nothing", String::new()),
        ("base64 of a certificate", STANDARD.encode(der_of(&certificate))),
        ("base64 of a certificate's PEM", STANDARD.encode(&certificate)),
        ("hexadecimal of a certificate", hex(&der_of(&certificate), ":")),
        ("xxd of a certificate", dump(&der_of(&other), true)),
        ("a second certificate", other),
        ("a request", request.clone()),
        ("base64 of a request", STANDARD.encode(der_of(&request))),
        ("a public JSON web key", public_jwk),
        (
            "an RSA public key",
            STANDARD.encode(
                [
                    &[0x30, 0x81, 0x89, 2, 0x81, 0x81, 0][..],
                    &[0xa5; 128],
                    &[2, 3, 1, 0, 1],
                ]
                .concat(),
            ),
        ),
        (
            "the words alone",
            "X509v3 Private Key Usage Period:\n Not Before: Jan  1 00:00:00 2026 GMT".to_owned(),
        ),
        (
            "the words before an identifier",
            "Private Key Usage Period: none\nKey Identifier:\n 4E:9F:A3:11:5C:77:D0:21:8B:6E:90:4A:C5:3D:EE:01"
                .to_owned(),
        ),
        ("a fingerprint", format!("sha256 Fingerprint={}", hex(&[0x30; 32], ":"))),
        ("a certificate ID", hex(&[0x5a; 32], "")),
        (
            "openssl's public key",
            PKEY_TEXT.replace("Private", "Public").replace("priv:", "pub:"),
        ),
        (
            "a PuTTY public key",
            "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----".to_owned(),
        ),
        ("a comment", "# the private key is in the TPM".to_owned()),
        (
            "a comment with a colon",
            "# private key: pkcs11:token=gateway;object=device".to_owned(),
        ),
        (
            "prose",
            "In the beginning a private key was made. It never ends.".to_owned(),
        ),
    ] {
        for file in [format!("{certificate}\n{beside}\n"), format!("{beside}\n{certificate}")] {
            let found = parse(file.as_bytes()).unwrap_or_else(|content| panic!("{name}: {content}\n{file}"));
            assert!(!found.has_private_key, "{name}\n{file}");
        }
    }
}
