//! `token.key`: any text is read into a key URI or refused with a reason that repeats no value.

#![no_main]

use gatepost::token::KeyUri;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match text.parse::<KeyUri>() {
        Ok(uri) => {
            let again: KeyUri = uri.to_string().parse().expect("what is printed can be read");
            assert_eq!(again, uri);
            let encoded = reencoded(&uri);
            let same: KeyUri = encoded.parse().expect("what is fully encoded can be read");
            assert_eq!(same.object(), uri.object(), "{encoded}");
            assert_eq!(same.text("token"), uri.text("token"), "{encoded}");
            assert_eq!(same.id(), uri.id(), "{encoded}");
            assert_eq!(same.slot_id(), uri.slot_id(), "{encoded}");
        }
        Err(error) => {
            let message = error.to_string();
            fuzz::assert_readable(&message);
            // A value might be a PIN: no value of six letters or more is repeated, unless it is one of the message's own words.
            for value in values(text).filter(|value| value.len() >= 6 && !OWN_WORDS.contains(value)) {
                assert!(!message.contains(value), "{value:?} in {message:?}");
            }
        }
    }
});

/// Words of the messages that may happen to be a value as well.
const OWN_WORDS: &[&str] = &[
    "private",
    "attribute",
    "query attribute",
    "unknown",
    "unknown attribute",
    "gatepost",
    "character",
    "percent-encoded",
];

fn values(text: &str) -> impl Iterator<Item = &str> {
    // Names are repeated: a mistyped one is what the reader looks for.
    let attributes = text
        .split([';', '?', '&'])
        .filter_map(|attribute| attribute.split_once('='));
    attributes.map(|(_, value)| value)
}

fn reencoded(uri: &KeyUri) -> String {
    let encode = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let mut attributes = Vec::new();
    for name in ["object", "token"] {
        if let Some(value) = uri.text(name) {
            attributes.push(format!("{name}={}", encode(value.as_bytes())));
        }
    }
    attributes.extend(uri.id().map(|id| format!("id={}", encode(id))));
    attributes.extend(uri.slot_id().map(|slot| format!("slot-id={slot}")));
    format!("pkcs11:{}", attributes.join(";"))
}
