//! Tests of key URIs as tools print and people write them.

use proptest::prelude::*;

use super::*;

#[test]
fn the_second_key_has_a_label_of_its_own_in_the_same_token() {
    for (first, second) in [
        ("pkcs11:token=gw;object=device", Some("pkcs11:token=gw;object=device-2")),
        ("pkcs11:object=device;token=gw", Some("pkcs11:object=device-2;token=gw")),
        ("pkcs11:object=device", Some("pkcs11:object=device-2")),
        (
            "pkcs11:object=a%20key;id=%01%02;type=private",
            Some("pkcs11:object=a%20key-2;type=private"),
        ),
        (
            "PKCS11:token=gw;object=device-2",
            Some("pkcs11:token=gw;object=device-2-2"),
        ),
        ("pkcs11:token=gw;object=100%25", Some("pkcs11:token=gw;object=100%25-2")),
        ("pkcs11:token=gw;id=%01", None),
        ("pkcs11:token=gw", None),
        ("pkcs11:token=gw;object=", None),
        ("pkcs11:", None),
    ] {
        let uri: KeyUri = first.parse().unwrap();
        let found = uri.second_key().map(|uri| uri.to_string());
        assert_eq!(found.as_deref(), second, "{first}");
    }
}

#[test]
fn good_uris() {
    let uri: KeyUri = "pkcs11:token=My%20Token;object=a%3bb%c3%a9;id=%00%ff;type=private;slot-id=17"
        .parse()
        .unwrap();
    assert_eq!(uri.text("token"), Some("My Token"));
    assert_eq!(uri.object(), Some("a;b\u{e9}"));
    assert_eq!(uri.id(), Some(&[0, 255][..]));
    assert_eq!(uri.slot_id(), Some(17));
    // A label may contain PIN if it does not look like an attribute.
    for label in ["spin=1", "pin", "pin%20of%20gw", "a&b=c", "PIN-1", "pinning%3dx"] {
        assert!(format!("pkcs11:object={label}").parse::<KeyUri>().is_ok(), "{label}");
    }
    for label in ["passage=1", "bypass:1", "password", "secretary=1", "a,b=c", "gw:key:1"] {
        assert!(format!("pkcs11:object={label}").parse::<KeyUri>().is_ok(), "{label}");
    }
    // The case of the scheme does not matter.
    for text in ["PKCS11:object=gw", "Pkcs11:object=gw"] {
        let uri: KeyUri = text.parse().unwrap();
        assert_eq!(uri.to_string(), "pkcs11:object=gw", "{text}");
    }
    let everything: KeyUri = "pkcs11:".parse().unwrap();
    assert_eq!((everything.object(), everything.id()), (None, None));
}

#[test]
fn bad_uris_get_a_reason_and_no_value_is_repeated() {
    let cases = [
        ("object=x", "does not begin"),
        ("", "does not begin"),
        ("pkcs1", "does not begin"),
        ("\u{fc}kcs11\u{fc}:", "does not begin"),
        (" pkcs11:object=a", "a blank or a line break before or after"),
        ("pkcs11:object=a ", "a blank or a line break before or after"),
        ("pkcs11:object=a\n", "a blank or a line break before or after"),
        ("\tPKCS11:object=a", "a blank or a line break before or after"),
        ("pkcs11:object=a\u{a0}", "a blank or a line break before or after"),
        ("\u{feff}pkcs11:object=a", "a byte order mark"),
        ("pkcs11:object=a\u{feff}", "a byte order mark"),
        ("\"pkcs11:object=a\"", "quotes of its own"),
        ("'pkcs11:object=a'", "quotes of its own"),
        ("\u{201c}pkcs11:object=a\u{201d}", "quotes of its own"),
        ("pkcs11:object=a\"", "quotes of its own"),
        ("\"object=a\"", "does not begin"),
        ("pkcs11:token=a;object=b,userpin=hunter2", "token.pin-file"),
        ("pkcs11:object=b,user-pin=hunter2", "token.pin-file"),
        ("pkcs11:object=b,user_pin:hunter2", "token.pin-file"),
        ("pkcs11:object=b,password=hunter2", "token.pin-file"),
        ("pkcs11:object=b,pin-val=hunter2", "token.pin-file"),
        ("pkcs11:object=b+pincode=hunter2", "token.pin-file"),
        ("pkcs11:object=b,pass=hunter2", "token.pin-file"),
        ("pkcs11:object=b&secret=hunter2", "token.pin-file"),
        ("pkcs11:object=b,so-pin=hunter2", "token.pin-file"),
        ("pkcs11:object=b%20PassPhrase%20%3D%20hunter2", "token.pin-file"),
        ("pkcs11:object=b%3Bpwd%3Dhunter2", "token.pin-file"),
        ("pkcs11:object=b,PIN2=hunter2", "token.pin-file"),
        ("pkcs11:object=pin=hunter2", "token.pin-file"),
        ("pkcs11:token=a,passwd=hunter2;object=b", "token.pin-file"),
        ("pkcs11:id=%01,userpin=hunter2", "token.pin-file"),
        ("pkcs11:object", "without \"=\""),
        ("pkcs11:object=a;", "without \"=\""),
        ("pkcs11:object=a;object=b", "\"object\" twice"),
        ("pkcs11:objct=hunter2", "did you mean \"object\"?"),
        ("pkcs11:obejct=hunter2", "did you mean \"object\"?"),
        ("pkcs11:Object=hunter2", "did you mean \"object\"?"),
        ("pkcs11:label=hunter2", "did you mean \"object\"?"),
        ("pkcs11:tokens=hunter2", "did you mean \"token\"?"),
        ("pkcs11:slot=1", "did you mean \"slot-id\"?"),
        (
            "pkcs11:x-vendor=a",
            "unknown attribute; known are id, type, slot-id, token",
        ),
        ("pkcs11:object=a;hunter2=b", "unknown attribute; known are"),
        ("pkcs11:hunter2=a;hunter2=b", "unknown attribute; known are"),
        ("pkcs11:hunter2=a b", "unknown attribute; known are"),
        ("pkcs11:hunter2=%zz", "unknown attribute; known are"),
        ("pkcs11:\u{1b}[31mhunter2=a", "unknown attribute; known are"),
        (
            "pkcs11:object=a;pin-value=hunter2",
            "has the attribute pin-value; use token.pin-file",
        ),
        ("pkcs11:object=a;PIN-VALUE=hunter2", "token.pin-file"),
        ("pkcs11:object=a;pin-source=file:/etc/hunter2", "token.pin-file"),
        (
            "pkcs11:object=a;module-path=/hunter2",
            "has the attribute module-path; use token.module",
        ),
        ("pkcs11:object=a?x=y&pin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a&pin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a:pin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a,pin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a+PIN-Value=hunter2", "token.pin-file"),
        ("pkcs11:object=a%3Fpin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a%3fpin%2Dvalue%3dhunter2", "token.pin-file"),
        ("pkcs11:object=a%3Bpin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a%0Apin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a%20pin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a&pin_value=hunter2", "token.pin-file"),
        ("pkcs11:object=a&pinvalue=hunter2", "token.pin-file"),
        ("pkcs11:object=a&pin=hunter2", "token.pin-file"),
        ("pkcs11:object=a,PIN:hunter2", "token.pin-file"),
        ("pkcs11:object=a&pin-source=file:hunter2", "token.pin-file"),
        ("pkcs11:object=a&module-path=hunter2", "token.module"),
        ("pkcs11:object=a&module-name=hunter2", "token.module"),
        ("pkcs11:token=a&pin-value=hunter2;object=b", "token.pin-file"),
        ("pkcs11:id=%01&pin-value=hunter2", "token.pin-file"),
        ("pkcs11:type=private&pin-value=hunter2", "token.pin-file"),
        ("pkcs11:slot-id=1&pin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a%2", "two hex digits"),
        ("pkcs11:object=a%zz", "two hex digits"),
        ("pkcs11:object=a b", "percent-encoded"),
        ("pkcs11:object=a/b", "percent-encoded"),
        ("pkcs11:object=%ff", "not UTF-8"),
        ("pkcs11:type=cert", "other than \"private\""),
        ("pkcs11:slot-id=+1", "not a number"),
        ("pkcs11:object=a?pin-value=hunter2", "token.pin-file"),
        ("pkcs11:object=a?pin-source=file:/etc/pin", "token.pin-file"),
        ("pkcs11:object=a?module-path=/lib/x.so", "token.module"),
        ("pkcs11:object=a?", "query part"),
    ];
    for (text, expected) in cases {
        let message = text.parse::<KeyUri>().expect_err(text).to_string();
        let repeats = message.contains("hunter2") || message.contains(char::is_control);
        assert!(message.contains(expected) && !repeats, "{text}: {message}");
    }
}

proptest! {
    #[test]
    fn any_label_survives_encoding(label in ".*", id in proptest::collection::vec(any::<u8>(), 0..40)) {
        let encode = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let text = format!("pkcs11:object={};id={}", encode(label.as_bytes()), encode(&id));
        let uri: KeyUri = text.parse().unwrap();
        prop_assert_eq!(uri.object(), Some(label.as_str()));
        prop_assert_eq!(uri.id(), Some(&id[..]));
    }

    #[test]
    fn no_text_is_a_panic(text in "(pkcs11:)?.*") {
        let _ = text.parse::<KeyUri>();
    }
}
