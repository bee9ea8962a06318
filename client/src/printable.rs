//! Makes foreign text safe to show on a terminal: topics, payloads, AWS's messages and file names.
//!
//! [`printable`] is for text, [`printable_json`] for JSON, where escapes keep the meaning.

/// Returns the text in one line. Line breaks and tabs become spaces; characters that a terminal would interpret, reorder or not show become
/// U+FFFD.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_unsafe(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.trim().chars().map(shown).collect()
}

/// Replaces every unsafe character in JSON with an escape. Outside of strings JSON consists of ASCII only, so the meaning stays the same.
pub(crate) fn printable_json(json: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(json);
    let mut printable = Vec::with_capacity(json.len());
    let mut units = [0; 2];
    for c in text.chars() {
        // White space between values; a line break ends the document.
        if matches!(c, '\n' | '\r' | '\t') || !is_unsafe(c) {
            printable.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            printable.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    }
    printable
}

/// Returns whether a terminal may interpret the character (C0, DEL, C1), reorder the text around it (UAX #9), break the line, or show
/// nothing in its place (Unicode's Default_Ignorable_Code_Point, except for the variation selectors that emoji need).
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x1_bca0..=0x1_bca3
            | 0x1_d173..=0x1_d17a | 0xe_0000..=0xe_0fff)
        // Non-characters, which do not occur in text.
        || matches!(u32::from(c), 0xfdd0..=0xfdef)
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Value;

    /// Unsafe characters, each with its replacement.
    const UNSAFE: &[(&str, &str)] = &[
        ("\u{0}", "\u{fffd}"),
        ("\u{1b}[2J", "\u{fffd}[2J"),
        ("\u{7}", "\u{fffd}"),
        ("\u{7f}", "\u{fffd}"),
        ("\u{80}", "\u{fffd}"),
        ("\u{85}", "\u{fffd}"),
        ("\u{90}q", "\u{fffd}q"),
        ("\u{9b}31m", "\u{fffd}31m"),
        ("\u{9d}0;title\u{9c}", "\u{fffd}0;title\u{fffd}"),
        ("\u{ad}", "\u{fffd}"),
        ("\u{61c}", "\u{fffd}"),
        ("\u{180e}", "\u{fffd}"),
        ("\u{200b}\u{200c}\u{200d}", "\u{fffd}\u{fffd}\u{fffd}"),
        ("\u{200e}\u{200f}", "\u{fffd}\u{fffd}"),
        ("\u{2028}", " "),
        ("\u{2029}", " "),
        ("\u{202a}\u{202e}", "\u{fffd}\u{fffd}"),
        ("\u{2060}\u{2066}\u{2069}", "\u{fffd}\u{fffd}\u{fffd}"),
        ("\u{206f}", "\u{fffd}"),
        ("\u{3164}", "\u{fffd}"),
        ("\u{feff}", "\u{fffd}"),
        ("\u{fff9}\u{fffb}", "\u{fffd}\u{fffd}"),
        ("\u{fdd0}\u{ffff}", "\u{fffd}\u{fffd}"),
        ("\u{e0041}", "\u{fffd}"),
        ("\u{10fffe}", "\u{fffd}"),
    ];

    #[test]
    fn nothing_steers_the_terminal_or_hides_on_it() {
        for (given, shown) in UNSAFE {
            assert_eq!(printable(&format!("a{given}z")), format!("a{shown}z"), "{given:?}");
        }
        for (given, shown) in [
            ("plain, ünïcode", "plain, ünïcode"),
            ("two\r\nlines\n", "two  lines"),
            ("a\tb", "a b"),
            ("हिन्दी, עברית, ❤\u{fe0f}, e\u{301}", "हिन्दी, עברית, ❤\u{fe0f}, e\u{301}"),
        ] {
            assert_eq!(printable(given), shown);
        }
    }

    #[test]
    fn json_says_the_same_without_what_steers_the_terminal() {
        for (given, _) in UNSAFE.iter().filter(|(given, _)| !given.starts_with(|c| c < ' ')) {
            let json = format!("{{\"topic\":\"a{given}z\"}}\n");
            let printed = String::from_utf8(printable_json(json.as_bytes())).unwrap();
            assert!(!printed.trim_end().chars().any(is_unsafe), "{printed:?}");
            let topic = format!("a{given}z");
            let value = Value::parse(printed.as_bytes()).unwrap();
            assert_eq!(value.get("topic").text(), Some(topic.as_str()));
        }
        assert_eq!(printable_json(b"{\"a\":\"\xc3\xbc\"}\n"), b"{\"a\":\"\xc3\xbc\"}\n");
        assert_eq!(printable_json(b"\xff"), "\u{fffd}".as_bytes());
    }

    proptest! {
        #[test]
        fn no_text_keeps_an_unsafe_character(text in any::<String>()) {
            prop_assert!(!printable(&text).chars().any(is_unsafe));
            let quoted = crate::json::quoted(&text);
            prop_assert!(!quoted.chars().any(is_unsafe));
            prop_assert_eq!(Value::parse(quoted.as_bytes()).unwrap(), Value::String(text));
        }

        #[test]
        fn no_json_changes_its_meaning(text in any::<String>()) {
            let json = Value::String(text.clone()).json();
            let printed = printable_json(json.as_bytes());
            prop_assert_eq!(Value::parse(&printed).unwrap(), Value::String(text));
        }
    }
}
