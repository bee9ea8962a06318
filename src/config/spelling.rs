//! How far a word is from another one, for "did you mean".

/// Whether few letters have to be changed, added, left out or exchanged with their neighbour to make `known` of `word`: none in
/// a word of three letters, one up to six, two in a longer one.
pub(super) fn is_near(known: &str, word: &str) -> bool {
    let allowed = match known.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    allowed > 0 && known.len().abs_diff(word.len()) <= allowed && distance(known.as_bytes(), word.as_bytes()) <= allowed
}

/// How many letters have to be changed, added, left out or exchanged with their neighbours (optimal string alignment).
fn distance(one: &[u8], other: &[u8]) -> usize {
    let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX / 2);
    let previous = |text: &[u8], place: usize| place.checked_sub(1).and_then(|place| text.get(place).copied());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let changed = at(&last, column) + usize::from(letter != against);
            let mut best = changed.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let is_exchange = previous(one, row) == Some(*against) && previous(other, column) == Some(*letter);
            if let (true, Some(before)) = (is_exchange, column.checked_sub(1)) {
                best = best.min(at(&before_last, before) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_are_counted() {
        for (one, other, letters) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("endpoint", "endpiont", 1),
            ("module", "modul", 1),
            ("token", "tokken", 1),
            ("access", "accass", 1),
            ("loopback", "loopabck", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("amazonaws", "amazonavvs", 2),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), letters, "{one} {other}");
        }
    }

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
