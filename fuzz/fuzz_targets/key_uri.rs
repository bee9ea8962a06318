//! `token.key`: any text is parsed as a key URI, or refused with a reason that repeats no value.

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
            // A value might be a PIN.
            if let Err(error) = text.replace('=', &format!("={SECRET}")).parse::<KeyUri>() {
                let message = error.to_string();
                assert!(!message.contains(SECRET), "{message:?}");
            }
        }
    }
});

const SECRET: &str = "hunter2hunter2";

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
