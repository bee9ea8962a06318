//! How far a word is from another one, for "did you mean".

use gatepost_client::edit_distance::edit_distance;

/// Whether few letters have to be changed, added, left out or exchanged with their neighbour to make `known` of `word`: none in
/// a word of three letters, one up to six, two in a longer one.
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
