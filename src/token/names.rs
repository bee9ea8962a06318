//! Labels and other texts of a token, as they are compared and as they are shown.

use crate::foreign_text::clean;

/// A label is 32 bytes at most; other texts are not worth more either.
const MAX_SHOWN: usize = 64;
/// The longest id that is shown whole: a SHA-256.
const MAX_ID: usize = 32;

/// The text without its padding: blanks by the standard, NULs by tpm2-pkcs11, whose URIs carry them as `%00`.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(['\0', ' '])
}

/// The text for a message: one line, bounded, without anything that a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    let text = clean(trimmed(text));
    match text.chars().count() > MAX_SHOWN {
        true => text.chars().take(MAX_SHOWN).chain(['\u{2026}']).collect(),
        false => text,
    }
}

/// A label in quotes.
pub(super) fn shown_label(label: &[u8]) -> String {
    format!("\"{}\"", shown(&String::from_utf8_lossy(label)))
}

/// An id as it stands in a URI (`%01%02`).
pub(super) fn shown_id(id: &[u8]) -> String {
    let mut text: String = id.iter().take(MAX_ID).map(|byte| format!("%{byte:02x}")).collect();
    if id.len() > MAX_ID {
        text.push('\u{2026}');
    }
    text
}

/// Up to `most` of `items`, and how many more there are.
pub(super) fn listed(items: &[String], most: usize) -> String {
    let mut text = items
        .iter()
        .take(most)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = items.len().checked_sub(most).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_goes_on_both_sides_and_nowhere_else() {
        for (text, wanted) in [
            ("gateway", "gateway"),
            ("gateway   ", "gateway"),
            ("gateway\0\0", "gateway"),
            ("gateway \0 \0", "gateway"),
            ("\0 gateway", "gateway"),
            ("my gate\0way ", "my gate\0way"),
            ("\t gateway", "\t gateway"),
            ("   ", ""),
            ("\0\0\0", ""),
            ("", ""),
        ] {
            assert_eq!(trimmed(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_is_harmless_and_short() {
        assert_eq!(shown_label(b"device\0\0"), "\"device\"");
        assert_eq!(shown_label(b"a\x1b[31m\nb"), "\"a [31m b\"");
        assert_eq!(shown("a\u{202e}b\u{200b}c"), "abc");
        assert!(shown_label(b"a\xff\xfe").starts_with("\"a\u{fffd}"));
        assert_eq!(shown(&"x".repeat(500)).chars().count(), MAX_SHOWN + 1);
        assert_eq!(shown_id(&[0, 0xff]), "%00%ff");
        assert_eq!(shown_id(&[7; 100]).chars().count(), 3 * MAX_ID + 1);
        let many: Vec<String> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(listed(&many, 3), "0, 1, 2 and 9 more");
        assert_eq!(listed(&many[..3], 3), "0, 1, 2");
    }
}
