//! The command's side of the socket: whatever a daemon answers is read, or refused, and nothing is read twice differently.

#![no_main]

use std::io::BufReader;

use gatepost_client::http::{self, Opened, ResponseError};
use gatepost_client::json::Value;
use libfuzzer_sys::fuzz_target;

/// What the parser documents as the largest body.
const LARGEST: usize = 1024 * 1024;

fuzz_target!(|input: &[u8]| {
    let whole = http::read_response(&mut &input[..]);
    // In pieces of seven bytes, as a slow daemon sends it.
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

/// A stream's lines are what its body is as a whole.
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

/// What is read as JSON is written so that it is read as the same.
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
