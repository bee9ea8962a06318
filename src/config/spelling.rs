//! Compares the spelling of two words, for "did you mean".

use gatepost_client::edit_distance::edit_distance;

/// Returns whether `word` is a probable misspelling of `known`. Of a known word with up to three letters none may differ, with up to six
/// letters one, and with more letters two.
pub(super) fn is_near(known: &str, word: &str) -> bool {
    let allowed = match known.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    allowed > 0 && known.len().abs_diff(word.len()) <= allowed && edit_distance(known, word) <= allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_must_be_exact() {
        for (known, word, near) in [
            ("aws", "awz", false),
            ("mqtt", "mqqt", true),
            ("mqtt", "http", false),
            ("token", "tokens", true),
            ("identity", "idnetiyt", true),
            ("publish", "public", true),
            ("loopback", "feedback", false),
        ] {
            assert_eq!(is_near(known, word), near, "{known} {word}");
        }
    }
}
