//! PIN files as people and programs write them.

use proptest::prelude::*;

use super::*;

#[test]
fn a_pin_is_what_stands_in_its_line() {
    let long = "1".repeat(MAX_PIN);
    for (content, pin) in [
        ("1234\n", "1234"),
        ("1234", "1234"),
        ("1234\r\n", "1234"),
        ("12 34\n", "12 34"),
        ("gr\u{fc}n\n", "gr\u{fc}n"),
        ("\"1234\n", "\"1234"),
        ("a=b\n", "a=b"),
        ("spin=1\n", "spin=1"),
        ("=pin:\n", "=pin:"),
        ("\"\n", "\""),
        // What looks odd, and may be meant.
        ("MTIzNDU2Nzg5MA==\n", "MTIzNDU2Nzg5MA=="),
        ("/x3Kd/9aBq2Lm4Zr7Yt0Wg==\n", "/x3Kd/9aBq2Lm4Zr7Yt0Wg=="),
        ("3f9a0c77e1b24d5886aa01c2d3e4f5a6\n", "3f9a0c77e1b24d5886aa01c2d3e4f5a6"),
        ("$ecret-1\n", "$ecret-1"),
        ("$HOME1\n", "$HOME1"),
        ("100%sure\n", "100%sure"),
        ("my%20pin\n", "my%20pin"),
        ("12\\n34\n", "12\\n34"),
        ("c:d\n", "c:d"),
        ("a{b}c\n", "a{b}c"),
        ("(1234)\n", "(1234)"),
        ("[1234]\n", "[1234]"),
        ("nullify\n", "nullify"),
        ("**\n", "**"),
        ("pin 1234\n", "pin 1234"),
        ("correct horse battery staple\n", "correct horse battery staple"),
        ("--pinned\n", "--pinned"),
        ("0x31323334\n", "0x31323334"),
        (long.as_str(), long.as_str()),
    ] {
        assert_eq!(pin_in(content.as_bytes()), Ok(pin));
    }
}

#[test]
fn each_mistake_has_its_name() {
    let utf16 = |little: bool, text: &str| -> Vec<u8> {
        let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    };
    let long = "1".repeat(MAX_PIN + 1);
    let cases: &[(&[u8], PinFault)] = &[
        (b"", PinFault::Empty),
        (b"\n", PinFault::Empty),
        (b" \t\r\n\n", PinFault::Empty),
        (b"\xef\xbb\xbf1234\n", PinFault::ByteOrderMark),
        (b"\xff\xfe1\x002\x00", PinFault::Utf16),
        (b"\xfe\xff\x001\x002", PinFault::Utf16),
        (&utf16(true, "1234\n"), PinFault::Utf16),
        (&utf16(false, "1234\r\n"), PinFault::Utf16),
        (b"12\xff34", PinFault::NotUtf8),
        (b"gr\xfcn\n", PinFault::NotUtf8),
        (b"1234\n\n", PinFault::EmptyLines),
        (b"\n1234\n", PinFault::EmptyLines),
        (b"1234\r\n\r\n", PinFault::EmptyLines),
        (b"1234\n5678\n", PinFault::SeveralLines),
        (b"# the PIN\n1234\n", PinFault::SeveralLines),
        (b"12\r34", PinFault::SeveralLines),
        ("12\u{2028}34".as_bytes(), PinFault::SeveralLines),
        (b"1234 \n", PinFault::BlankAround),
        (b" 1234\n", PinFault::BlankAround),
        (b"1234\t\n", PinFault::BlankAround),
        ("1234\u{a0}".as_bytes(), PinFault::BlankAround),
        (b"12\x0034\n", PinFault::Control),
        (b"12\x1b[0m34\n", PinFault::Control),
        (b"1234\x7f\n", PinFault::Control),
        (b"12\t34\n", PinFault::Control),
        ("12\u{200b}34\n".as_bytes(), PinFault::Invisible),
        ("1234\u{feff}\n".as_bytes(), PinFault::Invisible),
        ("\u{202e}1234\n".as_bytes(), PinFault::Invisible),
        (b"\"1234\"\n", PinFault::Quoted),
        (b"'1234'\n", PinFault::Quoted),
        (b"`1234`", PinFault::Quoted),
        (b"<PIN>\n", PinFault::Quoted),
        ("\u{201c}1234\u{201d}\n".as_bytes(), PinFault::Quoted),
        (b"PIN=1234\n", PinFault::Assignment),
        (b"pin: 1234\n", PinFault::Assignment),
        (b"export TOKEN_PIN=1234\n", PinFault::Assignment),
        (b"user-pin = 1234\n", PinFault::Assignment),
        (b"pin-value=1234\n", PinFault::Assignment),
        (b"pkcs11:token=gateway?pin-value=1234\n", PinFault::Uri),
        (long.as_bytes(), PinFault::TooLong),
        (b"{\"pin\": \"1234\"}\n", PinFault::Json),
        (b"{\"pin\": 1234}\n", PinFault::Json),
        (b"[\"1234\"]\n", PinFault::Json),
        (b"\"pin\": \"1234\"\n", PinFault::Quoted),
        (b"\"pin\": 1234\n", PinFault::Assignment),
        (b"${PIN}\n", PinFault::Unfilled),
        (b"${PIN:-1234}\n", PinFault::Unfilled),
        (b"$PIN\n", PinFault::Unfilled),
        (b"$TOKEN_PIN\n", PinFault::Unfilled),
        (b"$(cat /etc/pin)\n", PinFault::Unfilled),
        (b"{{ pin }}\n", PinFault::Unfilled),
        (b"%PIN%\n", PinFault::Unfilled),
        (b"%(pin)s\n", PinFault::Unfilled),
        (b"@PIN@\n", PinFault::Unfilled),
        (b"__TPM_PIN__\n", PinFault::Unfilled),
        (b"<%= pin %>\n", PinFault::Unfilled),
        (b"ENC[AES256_GCM,data:a,iv:b]\n", PinFault::Unfilled),
        (b"null\n", PinFault::NoValue),
        (b"None\n", PinFault::NoValue),
        (b"undefined\n", PinFault::NoValue),
        (b"[object Object]\n", PinFault::NoValue),
        (b"******\n", PinFault::Masked),
        ("\u{2022}\u{2022}\u{2022}\u{2022}".as_bytes(), PinFault::Masked),
        (b"\"1234\",\n", PinFault::Quoted),
        (b"'1234';\n", PinFault::Quoted),
        (b"(\"1234\")\n", PinFault::Quoted),
        (b"$'1234'\n", PinFault::Quoted),
        (b"b'1234'\n", PinFault::Quoted),
        (b"<pin>1234</pin>\n", PinFault::Quoted),
        (b"1234\\n\n", PinFault::Escaped),
        (b"1234\\n", PinFault::Escaped),
        (b"1234\\r\\n", PinFault::Escaped),
        (b"\\x31\\x32\\x33\\x34\n", PinFault::Escaped),
        (b"%31%32%33%34\n", PinFault::UrlEncoded),
        (b"1234%0A\n", PinFault::UrlEncoded),
        (b"1234%0d%0a", PinFault::UrlEncoded),
        (b"file:///etc/gatepost/pin\n", PinFault::Place),
        (b"file:/etc/gatepost/pin\n", PinFault::Place),
        (b"/etc/gatepost/pin\n", PinFault::Place),
        (b"@/run/secrets/pin\n", PinFault::Place),
        (b"~/pin.txt\n", PinFault::Place),
        (b"./pin\n", PinFault::Place),
        (b"C:\\pin.txt\r\n", PinFault::Place),
        (b"op://vault/gateway/pin\n", PinFault::Place),
        (b"arn:aws:secretsmanager:eu-west-1:1:secret:pin\n", PinFault::Place),
        (b"printf '%s\\n' 1234 > pin\n", PinFault::Command),
        (b"echo -n 1234 > /etc/pin\n", PinFault::Command),
        (b"--pin 1234\n", PinFault::Command),
        (
            b"tpm2_ptool addtoken --userpin=1234 --label=gateway\n",
            PinFault::Command,
        ),
        (b"--pin=1234\n", PinFault::Assignment),
        (b"passwd=1234\n", PinFault::Assignment),
        (b"password: 1234\n", PinFault::Assignment),
        (b"Passphrase: a b c\n", PinFault::Assignment),
        (b"- pin: 1234\n", PinFault::Assignment),
        (b"set PIN=1234\n", PinFault::Assignment),
        (b"Environment=TPM_PIN=1234\n", PinFault::Assignment),
        (b"token.pin = 1234\n", PinFault::Assignment),
        (b"userPin: 1234\n", PinFault::Assignment),
        (b"-----BEGIN PRIVATE KEY-----\\nMIGH\n", PinFault::KeyMaterial),
    ];
    for (content, fault) in cases {
        assert_eq!(pin_in(content), Err(*fault), "{:?}", String::from_utf8_lossy(content));
    }
}

proptest! {
    #[test]
    fn what_is_taken_is_one_clean_line(content in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(pin) = pin_in(&content) {
            prop_assert!(content.starts_with(pin.as_bytes()) && content.len() - pin.len() <= 2);
            prop_assert!(!pin.is_empty() && pin.trim() == pin && !pin.contains(char::is_control));
        }
    }
}
