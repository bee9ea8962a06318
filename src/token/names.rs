//! Compares and shows labels and other text of a token.

use crate::foreign_text::clean;

/// The longest text that is shown. A label has at most 32 bytes.
const MAX_SHOWN: usize = 64;
/// The longest id that is shown in full: a SHA-256.
const MAX_ID: usize = 32;

/// Removes the padding, which is blanks by the standard, and NULs in tpm2-pkcs11, whose URIs have them as `%00`.
pub(super) fn trim_padding(text: &str) -> &str {
    text.trim_matches(['\0', ' '])
}

/// Prepares text for a message: one line of limited length, without control sequences.
pub(super) fn show(text: &str) -> String {
    let text = clean(trim_padding(text));
    match text.chars().count() > MAX_SHOWN {
        true => text.chars().take(MAX_SHOWN).chain(['\u{2026}']).collect(),
        false => text,
    }
}

/// Shows a label in quotation marks.
pub(super) fn show_label(label: &[u8]) -> String {
    format!("\"{}\"", show(&String::from_utf8_lossy(label)))
}

/// Shows an id as in a URI (`%01%02`).
pub(super) fn show_id(id: &[u8]) -> String {
    let mut text: String = id.iter().take(MAX_ID).map(|byte| format!("%{byte:02x}")).collect();
    if id.len() > MAX_ID {
        text.push('\u{2026}');
    }
    text
}

/// Lists up to `most` of `items`, and the number of the others.
pub(super) fn list(items: &[String], most: usize) -> String {
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
    fn padding_is_removed_on_both_sides_only() {
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
            assert_eq!(trim_padding(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn shown_text_is_harmless_and_short() {
        assert_eq!(show_label(b"device\0\0"), "\"device\"");
        assert_eq!(show_label(b"a\x1b[31m\nb"), "\"a [31m b\"");
        assert_eq!(show("a\u{202e}b\u{200b}c"), "abc");
        assert!(show_label(b"a\xff\xfe").starts_with("\"a\u{fffd}"));
        assert_eq!(show(&"x".repeat(500)).chars().count(), MAX_SHOWN + 1);
        assert_eq!(show_id(&[0, 0xff]), "%00%ff");
        assert_eq!(show_id(&[7; 100]).chars().count(), 3 * MAX_ID + 1);
        let many: Vec<String> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(list(&many, 3), "0, 1, 2 and 9 more");
        assert_eq!(list(&many[..3], 3), "0, 1, 2");
    }
}
