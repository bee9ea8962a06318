//! Finds altered BEGIN and END lines (the encapsulation boundaries of RFC 7468, here called marks), and identifies the alteration.

use super::Content;

/// Returns whether a character is a hyphen, or one of those with which word processors replace it: soft and typographic hyphens, dashes,
/// the minus sign, lines of boxes, and small and full-width hyphens.
fn is_dash(letter: char) -> bool {
    matches!(
        letter,
        '-' | '\u{ad}' | '\u{2010}'
            ..='\u{2015}' | '\u{2212}' | '\u{2500}' | '\u{2501}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// Returns whether a screen shows a character as a blank or not at all. The soft hyphen is both this and a dash.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{a0}' | '\u{ad}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}' | '\u{205f}'..='\u{2064}' | '\u{3000}' | '\u{feff}'
    )
}

/// A BEGIN or END mark of a certificate.
struct Mark<'a> {
    line: usize,
    is_begin: bool,
    /// The text before the hyphens.
    before: &'a str,
    /// The text after the last hyphens.
    after: &'a str,
    /// Whether hyphens and letters are as they should be.
    is_exact: bool,
}

/// Identifies the alteration of the marks of a certificate; `None` if there are no marks or no alterations. A missing mark comes first, then
/// a whole certificate in one line, and then changes of the marks and of the text beside them.
pub(super) fn identify(text: &str) -> Option<Content> {
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    let marks: Vec<Mark> = lines
        .iter()
        .enumerate()
        .flat_map(|(number, line)| find_marks(number, line))
        .collect();
    if marks.is_empty() {
        return None;
    }
    let alternate = marks
        .iter()
        .enumerate()
        .all(|(index, mark)| mark.is_begin == index.is_multiple_of(2));
    if !alternate || !marks.len().is_multiple_of(2) {
        return Some(Content::Cut);
    }
    let neighbours = marks.iter().zip(marks.iter().skip(1));
    let in_one_line = neighbours
        .filter(|(begin, _)| begin.is_begin)
        .find(|(begin, end)| begin.line == end.line);
    if let Some((begin, _)) = in_one_line {
        return Some(identify_one_line(lines.get(begin.line).copied().unwrap_or_default()));
    }
    if marks.iter().any(|mark| !mark.is_exact) {
        return Some(Content::ChangedMarks);
    }
    let has_prefix = marks.iter().all(|mark| !mark.before.is_empty());
    if has_prefix && is_prefixed(&lines, &marks) {
        return Some(Content::PrefixedLines);
    }
    if marks
        .iter()
        .any(|mark| mark.before.contains("\\n") || mark.after.contains("\\n"))
    {
        return Some(Content::EscapedLineBreaks);
    }
    let has_text_beside = |mark: &Mark| !mark.before.is_empty() || !mark.after.is_empty();
    marks.iter().any(has_text_beside).then_some(Content::TextBesideMarks)
}

/// Identifies the replacement of the line breaks in a certificate in one line.
fn identify_one_line(line: &str) -> Content {
    let upper = line.to_ascii_uppercase();
    if line.contains("\\n") || line.contains("\\r") {
        return Content::EscapedLineBreaks;
    }
    match upper.contains("%0A") || upper.contains("%0D") || upper.contains("%20") {
        true => Content::UrlEncoded,
        false => Content::JoinedLines,
    }
}

/// Returns whether the text before a BEGIN mark is a prefix of the following lines as well, such as `> `, `+`, `#` or `12: `.
fn is_prefixed(lines: &[&str], marks: &[Mark]) -> bool {
    marks.iter().zip(marks.iter().skip(1)).any(|(begin, end)| {
        let shape = normalize_numbers(begin.before);
        let inner = lines.get(begin.line + 1..end.line).unwrap_or_default();
        begin.is_begin && !inner.is_empty() && inner.iter().all(|line| normalize_numbers(line).starts_with(&shape))
    })
}

/// Replaces each number in a line by 0, so that prefixes with line numbers become equal.
fn normalize_numbers(text: &str) -> String {
    let mut shape = String::new();
    for letter in text.trim_start().chars() {
        let letter = if letter.is_ascii_digit() { '0' } else { letter };
        if letter != '0' || !shape.ends_with('0') {
            shape.push(letter);
        }
    }
    shape
}

/// Finds the marks in a line.
fn find_marks(number: usize, line: &str) -> Vec<Mark<'_>> {
    // Positions in it are those in the line, because only ASCII letters change.
    let upper = line.to_ascii_uppercase();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((place, word)) = find_next_word(&upper, from) {
        from = place + word.len();
        let Some(mark) = parse_mark(number, line, &upper, place, word) else {
            continue;
        };
        found.push(mark);
    }
    found
}

/// Finds the next BEGIN or END and its position.
fn find_next_word(upper: &str, from: usize) -> Option<(usize, &'static str)> {
    let rest = upper.get(from..)?;
    let places = ["BEGIN", "END"]
        .iter()
        .filter_map(|word| Some((from + rest.find(word)?, *word)));
    places.min_by_key(|(place, _)| *place)
}

/// Skips what separates BEGIN or END from the label, as written or in a URL.
fn skip_separator(mut text: &str) -> &str {
    loop {
        let rest = text.trim_start_matches(|letter: char| matches!(letter, ' ' | '\t' | '+') || is_invisible(letter));
        let rest = rest.strip_prefix("%20").unwrap_or(rest);
        if rest.len() == text.len() {
            return text;
        }
        text = rest;
    }
}

/// Parses the mark with BEGIN or END at `place`. It must be followed by the label of a certificate, and it must have hyphens or stand alone
/// in its line.
fn parse_mark<'a>(number: usize, line: &'a str, upper: &str, place: usize, word: &str) -> Option<Mark<'a>> {
    let (left, after_word) = (line.get(..place)?, upper.get(place + word.len()..)?);
    let label = skip_separator(after_word);
    let separator = after_word.len() - label.len();
    let label_length = ["X509 CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE"]
        .iter()
        .find(|known| label.starts_with(**known))?
        .len();
    let right = line.get(place + word.len() + separator + label_length..)?;
    if right.trim_start().starts_with("REQUEST") {
        return None;
    }
    // A blank on the inner side of the hyphens is an alteration, and so is an invisible character on either side.
    let is_blank = |letter: char| letter.is_whitespace() || is_invisible(letter);
    let left_trimmed = left
        .trim_end_matches(is_blank)
        .trim_end_matches(is_dash)
        .trim_end_matches(is_invisible);
    let right_trimmed = right
        .trim_start_matches(is_blank)
        .trim_start_matches(is_dash)
        .trim_start_matches(is_invisible);
    let left_dashes = left.get(left_trimmed.len()..)?;
    let right_dashes = right.get(..right.len() - right_trimmed.len())?;
    let has_dashes = !left_dashes.trim().is_empty() || !right_dashes.trim().is_empty();
    let is_alone = left_trimmed.trim().is_empty() && right_trimmed.trim().is_empty();
    if !(has_dashes || is_alone) {
        return None;
    }
    let as_written = line.get(place..line.len() - right.len())?;
    Some(Mark {
        line: number,
        is_begin: word == "BEGIN",
        before: left_trimmed.trim(),
        after: right_trimmed.trim(),
        is_exact: left_dashes == "-----"
            && right_dashes.trim_end() == "-----"
            && matches!(
                as_written.split_once(' '),
                Some((
                    "BEGIN" | "END",
                    "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE"
                ))
            ),
    })
}
