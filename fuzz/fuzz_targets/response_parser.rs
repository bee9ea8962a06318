//! The command's side of the socket: any response of a daemon is parsed or refused, always in the same way.

#![no_main]

use std::io::BufReader;

use gatepost_client::http::{self, Opened, ResponseError};
use gatepost_client::json::Value;
use libfuzzer_sys::fuzz_target;

/// The maximum size of a body, as the parser documents it.
const LARGEST: usize = 1024 * 1024;

fuzz_target!(|input: &[u8]| {
    let whole = http::read_response(&mut &input[..]);
    // In pieces of seven bytes, as from a slow daemon.
    let pieces = http::read_response(&mut BufReader::with_capacity(7, input));
    match (&whole, &pieces) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.body, other.body);
            assert_eq!(
                (one.status, one.retry_after, one.closes),
                (other.status, other.retry_after, other.closes)
            );
            assert!(one.body.len() <= LARGEST && (200..=599).contains(&one.status));
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string());
            fuzz::assert_readable(&one.to_string());
        }
        _ => panic!("{whole:?} and, in pieces, {pieces:?}"),
    }
    read_lines(input, &whole);
    for document in whole.iter().map(|response| &response.body[..]).chain([input]) {
        read_json(document);
    }
});

/// Asserts that the lines of a stream are those of its whole body.
fn read_lines(input: &[u8], whole: &Result<http::Response, ResponseError>) {
    match http::open(BufReader::new(input)) {
        Ok(Opened::Lines(mut lines)) => {
            let mut text = Vec::new();
            while let Ok(Some(line)) = lines.next_line() {
                assert!(line.ends_with(b"\n") && line.iter().filter(|byte| **byte == b'\n').count() == 1);
                text.extend(line);
            }
            if let Ok(whole) = whole {
                assert!(whole.body.starts_with(&text), "lines that are not in the body");
            }
        }
        Ok(Opened::Whole(response, _)) => {
            assert_eq!(whole.as_ref().ok().map(|whole| &whole.body), Some(&response.body));
        }
        Err(_) => assert!(whole.is_err()),
    }
}

/// Asserts that parsed JSON is the same after writing and parsing it again.
fn read_json(document: &[u8]) {
    match Value::parse(document) {
        Ok(value) => {
            let written = value.json();
            let again = Value::parse(written.as_bytes()).expect("what is written can be read");
            assert!(value == again, "{written}");
        }
        Err(error) => fuzz::assert_readable(&error.to_string()),
    }
}
