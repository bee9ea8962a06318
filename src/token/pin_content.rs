//! Checks the content of a PIN file before the PIN is tried, because the token counts each wrong PIN.

mod fault;
mod names;
mod substitute;
mod wrapping;

pub(super) use fault::PinFault;

use names::{has_comment, is_assignment, is_placeholder};
use substitute::{is_command, is_json, is_masked, is_no_value, is_place, is_unfilled};
use wrapping::{is_echo_option, is_enclosed, is_escaped, is_half_quoted, is_invisible, is_url_encoded};

use crate::foreign_text::has_armour;

/// The longest PIN of the tokens that gatepost was tested with (SoftHSM: 255 bytes; tpm2-pkcs11: 128).
pub(super) const MAX_PIN: usize = 255;

/// Extracts the PIN from the content of a PIN file, without the line break that editors append (LF or CR LF).
pub(super) fn extract_pin(content: &[u8]) -> Result<&str, PinFault> {
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        return Err(PinFault::Utf16);
    }
    if content.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(PinFault::ByteOrderMark);
    }
    if is_utf16_without_mark(content) {
        return Err(PinFault::Utf16);
    }
    let text = std::str::from_utf8(content).map_err(|_| PinFault::NotUtf8)?;
    if text.trim().is_empty() {
        return Err(PinFault::Empty);
    }
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim_matches(is_line_break).contains(is_line_break) {
        return Err(PinFault::SeveralLines);
    }
    if line.contains(is_line_break) {
        return Err(PinFault::EmptyLines);
    }
    check_line(line)?;
    match line.len() > MAX_PIN {
        true => Err(PinFault::TooLong),
        false => Ok(line),
    }
}

fn check_line(line: &str) -> Result<(), PinFault> {
    type Check = fn(&str) -> bool;
    let checks: [(Check, PinFault); 19] = [
        (|line| line.trim() != line, PinFault::BlankAround),
        (|line| line.contains(char::is_control), PinFault::Control),
        (|line| line.contains(is_invisible), PinFault::Invisible),
        (|line| line.starts_with("pkcs11:"), PinFault::Uri),
        (has_armour, PinFault::KeyMaterial),
        (is_json, PinFault::Json),
        (is_unfilled, PinFault::Unfilled),
        (is_no_value, PinFault::NoValue),
        (is_masked, PinFault::Masked),
        (is_enclosed, PinFault::Quoted),
        (is_escaped, PinFault::Escaped),
        (is_url_encoded, PinFault::UrlEncoded),
        (is_place, PinFault::Place),
        (is_command, PinFault::Command),
        (is_echo_option, PinFault::EchoOption),
        (is_assignment, PinFault::Assignment),
        (has_comment, PinFault::Comment),
        (is_placeholder, PinFault::Unfilled),
        (is_half_quoted, PinFault::HalfQuoted),
    ];
    match checks.iter().find(|(applies, _)| applies(line)) {
        Some((_, fault)) => Err(*fault),
        None => Ok(()),
    }
}

/// Returns whether the content is ASCII text in UTF-16 without a byte order mark, which has a zero in every other byte.
fn is_utf16_without_mark(content: &[u8]) -> bool {
    let pairs = content.as_chunks::<2>().0;
    !pairs.is_empty()
        && (pairs.iter().all(|[low, high]| *low != 0 && *high == 0)
            || pairs.iter().all(|[high, low]| *low != 0 && *high == 0))
}

fn is_line_break(letter: char) -> bool {
    matches!(
        letter,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests;
