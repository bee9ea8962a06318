//! Checks what a PIN file contains before the token sees it: a token counts each wrong PIN, a mistake in a file costs nothing.

use std::fmt;

/// The longest PIN of the tokens that gatepost was tried with (SoftHSM: 255 bytes; tpm2-pkcs11: 128).
pub(super) const MAX_PIN: usize = 255;

/// A mistake in a PIN file. The texts never repeat anything of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PinFault {
    Empty,
    Utf16,
    ByteOrderMark,
    NotUtf8,
    TooLong,
    SeveralLines,
    EmptyLines,
    Control,
    Invisible,
    BlankAround,
    Quoted,
    Assignment,
    Uri,
}

impl fmt::Display for PinFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Utf16 => "is UTF-16, as Windows editors write it; a PIN is UTF-8",
            Self::ByteOrderMark => "begins with a byte order mark, which would count as part of the PIN",
            Self::NotUtf8 => "is not UTF-8",
            Self::TooLong => "is longer than any PIN (255 bytes)",
            Self::SeveralLines => "has more than one line",
            Self::EmptyLines => "has empty lines before or after the PIN",
            Self::Control => "has a control character in the PIN",
            Self::Invisible => "has an invisible character in the PIN",
            Self::BlankAround => "has a blank before or after the PIN",
            Self::Quoted => "has the PIN in quotes or brackets, which would count as part of it",
            Self::Assignment => "has a name before the PIN, as in PIN=...; it must hold the PIN alone",
            Self::Uri => "holds a pkcs11: URI; it must hold the PIN alone",
        })
    }
}

/// The PIN in the content of a PIN file, without the line break that editors put at its end (LF or CR LF).
pub(super) fn pin_in(content: &[u8]) -> Result<&str, PinFault> {
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
    if line.trim() != line {
        return Err(PinFault::BlankAround);
    }
    if line.contains(char::is_control) {
        return Err(PinFault::Control);
    }
    if line.contains(is_invisible) {
        return Err(PinFault::Invisible);
    }
    if line.starts_with("pkcs11:") {
        return Err(PinFault::Uri);
    }
    if is_enclosed(line) {
        return Err(PinFault::Quoted);
    }
    match is_assignment(line) {
        true => Err(PinFault::Assignment),
        false => Ok(()),
    }
}

/// ASCII text in UTF-16 has a zero in every other byte.
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

/// Characters that leave no mark on a screen and come along when a text is copied.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

fn is_enclosed(line: &str) -> bool {
    const PAIRS: [(char, char); 9] = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('<', '>'),
        ('\u{201c}', '\u{201d}'),
        ('\u{201e}', '\u{201c}'),
        ('\u{2018}', '\u{2019}'),
        ('\u{201a}', '\u{2018}'),
        ('\u{ab}', '\u{bb}'),
    ];
    PAIRS
        .iter()
        .any(|(open, close)| line.chars().count() > 1 && line.starts_with(*open) && line.ends_with(*close))
}

/// `PIN=1234`, `export TOKEN_PIN=1234`, `pin: 1234`, `user-pin = 1234`.
fn is_assignment(line: &str) -> bool {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, _)) = line.split_once(['=', ':']) else {
        return false;
    };
    let name = name.trim().to_ascii_lowercase();
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-');
    is_name
        && name
            .split(['_', '-'])
            .any(|word| matches!(word, "pin" | "userpin" | "password"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pin_is_what_stands_in_its_line() {
        let long = "1".repeat(MAX_PIN);
        for (content, pin) in [
            ("1234\n", "1234"),
            ("1234", "1234"),
            ("1234\r\n", "1234"),
            ("12 34\n", "12 34"),
            ("gr\u{fc}n\n", "gr\u{fc}n"),
            ("\"1234\n", "\"1234"),
            ("a=b\n", "a=b"),
            ("spin=1\n", "spin=1"),
            ("=pin:\n", "=pin:"),
            ("\"\n", "\""),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(pin_in(content.as_bytes()), Ok(pin));
        }
    }

    #[test]
    fn each_mistake_has_its_name() {
        let utf16 = |little: bool, text: &str| -> Vec<u8> {
            let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
            text.encode_utf16().flat_map(bytes).collect()
        };
        let long = "1".repeat(MAX_PIN + 1);
        let cases: &[(&[u8], PinFault)] = &[
            (b"", PinFault::Empty),
            (b"\n", PinFault::Empty),
            (b" \t\r\n\n", PinFault::Empty),
            (b"\xef\xbb\xbf1234\n", PinFault::ByteOrderMark),
            (b"\xff\xfe1\x002\x00", PinFault::Utf16),
            (b"\xfe\xff\x001\x002", PinFault::Utf16),
            (&utf16(true, "1234\n"), PinFault::Utf16),
            (&utf16(false, "1234\r\n"), PinFault::Utf16),
            (b"12\xff34", PinFault::NotUtf8),
            (b"gr\xfcn\n", PinFault::NotUtf8),
            (b"1234\n\n", PinFault::EmptyLines),
            (b"\n1234\n", PinFault::EmptyLines),
            (b"1234\r\n\r\n", PinFault::EmptyLines),
            (b"1234\n5678\n", PinFault::SeveralLines),
            (b"# the PIN\n1234\n", PinFault::SeveralLines),
            (b"12\r34", PinFault::SeveralLines),
            ("12\u{2028}34".as_bytes(), PinFault::SeveralLines),
            (b"1234 \n", PinFault::BlankAround),
            (b" 1234\n", PinFault::BlankAround),
            (b"1234\t\n", PinFault::BlankAround),
            ("1234\u{a0}".as_bytes(), PinFault::BlankAround),
            (b"12\x0034\n", PinFault::Control),
            (b"12\x1b[0m34\n", PinFault::Control),
            (b"1234\x7f\n", PinFault::Control),
            (b"12\t34\n", PinFault::Control),
            ("12\u{200b}34\n".as_bytes(), PinFault::Invisible),
            ("1234\u{feff}\n".as_bytes(), PinFault::Invisible),
            ("\u{202e}1234\n".as_bytes(), PinFault::Invisible),
            (b"\"1234\"\n", PinFault::Quoted),
            (b"'1234'\n", PinFault::Quoted),
            (b"`1234`", PinFault::Quoted),
            (b"<PIN>\n", PinFault::Quoted),
            ("\u{201c}1234\u{201d}\n".as_bytes(), PinFault::Quoted),
            (b"PIN=1234\n", PinFault::Assignment),
            (b"pin: 1234\n", PinFault::Assignment),
            (b"export TOKEN_PIN=1234\n", PinFault::Assignment),
            (b"user-pin = 1234\n", PinFault::Assignment),
            (b"pin-value=1234\n", PinFault::Assignment),
            (b"pkcs11:token=gateway?pin-value=1234\n", PinFault::Uri),
            (long.as_bytes(), PinFault::TooLong),
        ];
        for (content, fault) in cases {
            assert_eq!(pin_in(content), Err(*fault), "{:?}", String::from_utf8_lossy(content));
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_one_clean_line(content in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(pin) = pin_in(&content) {
                prop_assert!(content.starts_with(pin.as_bytes()) && content.len() - pin.len() <= 2);
                prop_assert!(!pin.is_empty() && pin.trim() == pin && !pin.contains(char::is_control));
            }
        }
    }
}
