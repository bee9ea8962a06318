//! "Did you mean": the known key that is closest to a mistyped one. The command does the same with its words, in a program that
//! depends on nothing.

/// Returns the word that differs from `typed` by at most two edits, or by one if `typed` is short.
///
/// An edit inserts, deletes or replaces a character, or swaps two neighbours (optimal string alignment distance).
pub(super) fn closest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = match typed.chars().count() {
        0..=2 => return None,
        3..=4 => 1,
        _ => 2,
    };
    words
        .map(|word| (distance(typed, word), word))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    // Three rows of the matrix are enough: a swap looks two rows back.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&above, column) + usize::from(a != b);
            let inserted = at(&current, column) + 1;
            let deleted = at(&above, column + 1) + 1;
            let mut least = replaced.min(inserted).min(deleted);
            let swapped = row > 0 && column > 0 && left.get(row - 1) == Some(b) && right.get(column - 1) == Some(a);
            if swapped {
                least = least.min(at(&before, column - 1) + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("status", "status", 0),
            ("stauts", "status", 1),
            ("statu", "status", 1),
            ("sttaus", "status", 1),
            ("credentail", "credentials", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn only_a_near_miss_is_suggested() {
        let words = ["status", "csr", "env", "outbox", "credentials"];
        for (typed, expected) in [
            ("stauts", Some("status")),
            ("outboxes", Some("outbox")),
            ("credentail", Some("credentials")),
            ("crs", Some("csr")),
            ("cs", None),
            ("frobnicate", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, words.into_iter()), expected, "{typed}");
        }
    }
}
