//! Reads lines, numbers and counted bytes of a response, each with a limit.

use std::io::{self, BufRead, Read};

use super::error::ResponseError;

/// Maximum size of a response's body, and of a line of a stream. The largest is a message: 128 KiB of payload, each byte of which JSON may
/// write as six, and properties.
pub(super) const LIMIT: u64 = 1024 * 1024;
const LINE_LIMIT: u64 = 8 * 1024;
pub(super) const HEADER_LIMIT: usize = 64;

pub(super) fn read_exactly(
    input: &mut impl BufRead,
    length: u64,
    most: u64,
    body: &mut Vec<u8>,
) -> Result<(), ResponseError> {
    if length.saturating_add(body.len() as u64) > most {
        return Err(ResponseError::TooLarge);
    }
    match input.take(length).read_to_end(body)? as u64 == length {
        true => Ok(()),
        false => Err(ResponseError::Interrupted(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Reads a line and removes its CRLF. A bare LF does not end a line (RFC 9112 would allow it, but the daemon never sends it).
pub(super) fn read_line(input: &mut impl BufRead) -> Result<String, ResponseError> {
    let mut line = Vec::new();
    let read = input.take(LINE_LIMIT).read_until(b'\n', &mut line)? as u64;
    match line.strip_suffix(b"\r\n") {
        Some(text) if !text.contains(&b'\r') => {
            String::from_utf8(text.to_vec()).map_err(|_| ResponseError::Malformed("header: not UTF-8"))
        }
        None if read == LINE_LIMIT => Err(ResponseError::TooLarge),
        None if !line.ends_with(b"\n") => Err(ResponseError::Interrupted(io::ErrorKind::UnexpectedEof.into())),
        _ => Err(ResponseError::Malformed("line end")),
    }
}

/// Parses a number from digits only; `str::parse` would accept a plus sign.
pub(super) fn decimal(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

pub(super) fn hexadecimal(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u64::from_str_radix(text, 16).ok())?
}
