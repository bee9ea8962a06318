//! The credentials provider's response: usable credentials, or a reason that contains no secret.

#![no_main]

use std::time::Duration;

use fuzz::FixedClock;
use gatepost::cloud::credentials::answer;
use gatepost::credentials::USABLE_MARGIN;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let clock = FixedClock::default();
    match answer::parse(body, answer::Arrival::default(), &clock) {
        Ok(set) => {
            assert!(set.remaining(&clock) > USABLE_MARGIN);
            assert!(set.usable(&clock));
            assert!(!set.keys().access_key_id.is_empty());
            assert!(!set.keys().secret_access_key().is_empty() && !set.keys().session_token().is_empty());
            // Debug output ends up in logs.
            let shown = format!("{set:?}");
            for secret in [set.keys().secret_access_key(), set.keys().session_token()] {
                assert!(secret.len() < 16 || !shown.contains(secret));
            }
        }
        Err(reason) => fuzz::assert_readable(&reason),
    }
    for content_type in ["", "application/json", "text/html"] {
        let words = answer::words(body, content_type);
        fuzz::assert_readable(&words);
        assert!(words.len() < 4096);
    }
    assert!(Duration::ZERO < fuzz::NOW);
});
