//! Makes text from outside gatepost safe to show: errors of libraries and of the system, responses of AWS, labels in a token.
//!
//! Such text reaches terminals, the journal, JSON documents and `systemctl status`. [`clean`] turns it into one line of limited length
//! without control characters, characters that are invisible or change the direction of writing, and links.
//!
//! No filter can detect what a text quotes, and a file may contain a secret in the wrong place. Errors of parsers about a user's file
//! are therefore never shown, but replaced by a description of the fault with its position. Configuration values go through [`value`].

mod likely_secret;

use std::fmt;

pub use likely_secret::{has_armour, has_assignment, is_key_material, may_be_secret};

/// Maximum number of characters that are shown of foreign text.
pub const MAX_QUOTED: usize = 300;
/// Maximum number of characters that are shown of a configuration value. The longest valid values are host names and topics.
const MAX_VALUE: usize = 260;

/// Returns foreign text as a part of a message.
pub fn clean(text: impl fmt::Display) -> String {
    let line = one_line(&text.to_string());
    let is_link = |word: &str| word.contains("://");
    if !line.split(' ').any(is_link) {
        return shorten(&line);
    }
    let words: Vec<&str> = line.split(' ').filter(|word| !is_link(word)).collect();
    // Removes the punctuation that introduced the link.
    shorten(
        words
            .join(" ")
            .trim_end_matches([' ', ':', ';', ',', '-', '(', '[', '<']),
    )
}

/// Returns foreign text as one line like [`clean`], but of any length and with links.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || letter.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if is_visible(letter) {
            line.push(letter);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Returns a configuration value in quotation marks, or only its length if it may be a secret in the wrong place.
pub fn value(text: &str) -> String {
    let length = text.chars().count();
    match length > MAX_VALUE || may_be_secret(text) {
        true => format!("a value of {length} characters (not shown here)"),
        false => {
            let escape = |letter: char| match letter {
                '"' | '\\' => format!("\\{letter}"),
                '\n' => "\\n".to_owned(),
                _ if letter == ' ' || is_visible(letter) => letter.to_string(),
                _ => letter.escape_unicode().to_string(),
            };
            format!("\"{}\"", text.chars().map(escape).collect::<String>())
        }
    }
}

/// Returns an error with all its causes in one line, outermost first and without repetitions.
///
/// Libraries often put the important part (a DNS failure, a TLS alert) several `source()`s deep.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    clean(text)
}

/// Returns whether a character is visible. The standard library escapes characters without a glyph (controls, format characters, private
/// and unassigned code points); the fillers below have none either.
fn is_visible(letter: char) -> bool {
    let is_filler = matches!(
        letter,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
    );
    // The standard library treats a combining mark as printable only after another character.
    let mut buffer = [b'a'; 5];
    let length = 1 + letter.len_utf8();
    if let Some(place) = buffer.get_mut(1..) {
        letter.encode_utf8(place);
    }
    let pair = buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let is_escaped = pair.is_none_or(|pair| pair.escape_debug().count() != 2);
    !is_filler && (matches!(letter, '"' | '\'' | '\\') || !is_escaped)
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_QUOTED - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn causes_are_joined_without_repetitions() {
        let inner = std::io::Error::other("connection refused");
        let outer = std::io::Error::other(std::io::Error::other(inner));
        assert_eq!(with_causes(&outer), "connection refused");
    }

    #[test]
    fn foreign_text_becomes_one_visible_line() {
        for (text, shown) in [
            (
                "plain words, as they are: \"a\\b\" 'c'",
                "plain words, as they are: \"a\\b\" 'c'",
            ),
            ("two\nlines\r\nand\ta  tab ", "two lines and a tab"),
            ("\u{1b}[31mred\u{1b}[0m \u{9b}31mred", "[31mred [0m 31mred"),
            ("bell\u{7}, delete\u{7f}, next line\u{85}", "bell , delete , next line"),
            ("right\u{202e}tfel \u{2066}isolate\u{2069}", "righttfel isolate"),
            ("zero\u{200b}width\u{200d}joiner\u{feff}", "zerowidthjoiner"),
            ("line\u{2028}paragraph\u{2029}", "line paragraph"),
            (
                "tag\u{e0041}, soft\u{ad}hyphen, filler\u{3164}",
                "tag, softhyphen, filler",
            ),
            ("selector\u{fe0f} \u{e0101}", "selector"),
            ("naïve, e\u{301}, 数字, हिन्दी", "naïve, e\u{301}, 数字, हिन्दी"),
            (
                "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/rustls/manual/#eof",
                "peer closed connection without sending TLS close_notify",
            ),
            ("see https://example.com/x for more, or http://y", "see for more, or"),
            ("", ""),
        ] {
            assert_eq!(clean(text), shown, "{text:?}");
        }
        assert_eq!(clean("x".repeat(4000)).chars().count(), MAX_QUOTED);
        assert_eq!(clean("x".repeat(MAX_QUOTED)), "x".repeat(MAX_QUOTED));
    }

    #[test]
    fn a_value_that_may_be_a_secret_is_not_repeated() {
        for (text, is_shown) in [
            ("gw 1", true),
            ("https://a1b2c3d4e5f6g7-ats.iot.us-east-2.amazonaws.com", true),
            ("gw-0123456789abcdef0123456789abcdef.x", true),
            ("line\nbreak", true),
            ("fleet/gateways/building/floor/sensors/temperature/raw", true),
            ("-----BEGIN PRIVATE KEY-----\\nMIGH\\n", false),
            ("-----begin ec private key-----", false),
            ("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", false),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", false),
            ("x-wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.y", false),
        ] {
            let shown = value(text);
            assert_eq!(shown.starts_with('"'), is_shown, "{text}: {shown}");
            assert!(!shown.contains('\n'), "{shown}");
        }
        assert_eq!(value("\u{202e}a\u{1b}b"), "\"\\u{202e}a\\u{1b}b\"");
        assert!(!value(&"a.".repeat(200)).contains("a.a"));
    }

    proptest! {
        #[test]
        fn no_text_keeps_terminal_control_characters(text in any::<String>()) {
            for shown in [clean(&text), value(&text)] {
                prop_assert!(!shown.chars().any(char::is_control));
                prop_assert!(shown.chars().all(|letter| letter == ' ' || is_visible(letter)), "{shown:?}");
            }
            prop_assert!(clean(&text).chars().count() <= MAX_QUOTED);
            prop_assert!(!clean(&text).contains("://"));
        }

        #[test]
        fn cleaning_twice_changes_nothing(text in any::<String>()) {
            let once = clean(&text);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
