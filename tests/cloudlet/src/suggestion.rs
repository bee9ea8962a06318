//! Suggests the closest known option for an unknown one.

/// Returns the message about an unknown option, with the closest one in the usage.
pub(crate) fn unknown_option(option: &str, usage: &str) -> String {
    let known = usage.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let near = known
        .map(|known| (edit_distance(option, known), known))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    let suggestion = near.map(|(_, known)| format!("; did you mean --{known}?"));
    format!(
        "there is no option --{option}{}; cloudlet --help lists what there is",
        suggestion.unwrap_or_default()
    )
}

/// Counts the characters to insert, delete or replace to turn one word into the other (Levenshtein distance).
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.chars().enumerate() {
        let mut diagonal = row;
        let mut before = row + 1;
        let mut current = vec![before];
        for (other, up) in right.iter().zip(above.iter().skip(1)) {
            let replaced = diagonal + usize::from(letter != *other);
            before = replaced.min(up + 1).min(before + 1);
            current.push(before);
            diagonal = *up;
        }
        above = current;
    }
    above.last().copied().unwrap_or_default()
}
