//! Base64, decoded as leniently as RFC 8951 requires and encoded in every way that occurs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decodes base64, ignoring white space.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(text).ok()
}

/// Encodes in one line.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Encodes in lines of `width` characters. Each line, including the last one, ends with this line break.
pub(crate) fn encode_in_lines(bytes: &[u8], width: usize, line_break: &str) -> String {
    let text = encode(bytes);
    let mut lines = String::with_capacity(text.len() * 2);
    for (place, character) in text.chars().enumerate() {
        if place > 0 && place % width == 0 {
            lines.push_str(line_break);
        }
        lines.push(character);
    }
    lines.push_str(line_break);
    lines
}
