//! The edit distance between two words, for suggestions.

/// Counts the edits that turn one word into the other.
///
/// An edit inserts, deletes or replaces a character, or swaps two neighbours (optimal string alignment distance).
pub fn edit_distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    // Three rows of the matrix are enough: a swap refers to two rows above.
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
    use super::edit_distance;

    #[test]
    fn edits_are_counted_in_both_directions() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("status", "status", 0),
            ("stauts", "status", 1),
            ("statu", "status", 1),
            ("sttaus", "status", 1),
            ("credentail", "credentials", 2),
            ("kitten", "sitting", 3),
            ("endpoint", "endpiont", 1),
            ("module", "modul", 1),
            ("token", "tokken", 1),
            ("access", "accass", 1),
            ("loopback", "loopabck", 1),
            ("ab", "ba", 1),
            ("amazonaws", "amazonavvs", 2),
        ] {
            assert_eq!(edit_distance(left, right), expected, "{left} {right}");
            assert_eq!(edit_distance(right, left), expected, "{right} {left}");
        }
    }
}
