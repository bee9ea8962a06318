//! A proxy's response to CONNECT, which arrives in pieces.

#![no_main]

use gatepost::cloud::connector::{MAX_ANSWER, Parsed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [step, answer @ ..] = input else { return };
    let step = usize::from(*step) + 1;
    let mut end = 0;
    loop {
        end = (end + step).min(answer.len());
        let received = answer.get(..end).unwrap_or_default();
        match parse(received) {
            Parsed::Incomplete if end == answer.len() => {
                assert!(end <= MAX_ANSWER, "{end} bytes are no answer yet");
                return;
            }
            Parsed::Incomplete => {}
            Parsed::Refused(refusal) => {
                assert!((300..=599).contains(&refusal.status));
                assert!(refusal.schemes.iter().all(|scheme| (1..=20).contains(&scheme.len())));
                return;
            }
            Parsed::NotATunnel(status) => return assert!((200..=299).contains(&status)),
            Parsed::Open => return assert!(received.ends_with(b"\n")),
            Parsed::Malformed(_) => return,
        }
    }
});
