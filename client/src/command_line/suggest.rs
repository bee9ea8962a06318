//! Suggests the known word that is closest to a mistyped one.

use std::ffi::OsStr;

use crate::edit_distance::edit_distance;

/// Returns the end of a message about `typed`: `; did you mean ready?`, or nothing if no known word is close.
pub(crate) fn did_you_mean<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> String {
    closest(typed, words)
        .map(|word| format!("; did you mean {word}?"))
        .unwrap_or_default()
}

/// Returns the message about an unknown word of this kind.
pub(super) fn unknown<'a>(kind: &str, word: &OsStr, known: impl Iterator<Item = &'a str>) -> String {
    let suggestion = did_you_mean(&word.to_string_lossy(), known);
    format!("unknown {kind} {word:?}{suggestion}")
}

/// Returns the word that differs from `typed` by at most two edits, or by one if `typed` is short.
fn closest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = typed.to_lowercase();
    let most = match typed.chars().count() {
        0..=2 => return None,
        3..=4 => 1,
        _ => 2,
    };
    words
        .map(|word| (edit_distance(&lower, &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn only_a_near_miss_is_suggested() {
        let words = ["status", "csr", "env", "outbox", "credentials"];
        for (typed, expected) in [
            ("stauts", Some("status")),
            ("outboxes", Some("outbox")),
            ("credentail", Some("credentials")),
            ("crs", Some("csr")),
            ("STATUS", Some("status")),
            ("cs", None),
            ("frobnicate", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, words.into_iter()), expected, "{typed}");
        }
    }
}
