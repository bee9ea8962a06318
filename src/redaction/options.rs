//! Values of command-line options: `--pin 1234`, `-p 1234`, `--user name:password`.

use super::names::{Kind, is_in_name, kind};
use super::value::{REMOVED, has_digit, is_harmless, quoted_length};

/// Minimum length of a token. A shorter value is a label.
const TOKEN_LENGTH: usize = 16;

/// The kind of value that an option has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// A secret, by the name of the option.
    Secret(Kind),
    /// `-p`: a PIN or password to some programs, a port or a priority to others.
    Short,
    /// A user name, possibly with a password after a colon.
    User,
}

/// Removes secret values of options from a line.
pub(super) fn remove(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut previous = None;
    while let Some(letter) = rest.chars().next() {
        let starts = letter == '-' && previous.is_none_or(|before: char| !is_in_name(before));
        let found = starts.then(|| option(rest)).flatten();
        let (keep, remove) = found.unwrap_or((letter.len_utf8(), 0));
        out.push_str(rest.get(..keep).unwrap_or_default());
        if remove > 0 {
            out.push_str(REMOVED);
        }
        previous = match remove {
            0 => rest.get(..keep).and_then(|kept| kept.chars().next_back()),
            _ => Some(']'),
        };
        rest = rest.get(keep + remove..).unwrap_or_default();
    }
    out
}

/// Examines an option at the start of `text`. Returns the number of bytes to keep, and of the value after them to remove.
fn option(text: &str) -> Option<(usize, usize)> {
    let end = text.find(|letter| !is_in_name(letter)).unwrap_or(text.len());
    let name = text.get(..end)?;
    let value = match name.trim_start_matches('-') {
        "p" | "P" if !name.starts_with("--") => Value::Short,
        "u" | "user" | "proxy-user" => Value::User,
        long => Value::Secret(kind(long)?),
    };
    // In a list of arguments quotes and a comma separate name and value. Values after an equals sign are left to `assignments`, except
    // after names that it does not know.
    let behind = text.get(end..)?;
    let separators = match value {
        Value::Secret(_) => " \t,\"'",
        Value::Short | Value::User => " \t,\"'=",
    };
    let mut gap = behind.find(|letter| !separators.contains(letter))?;
    let has_gap = behind.get(..gap)?.contains([' ', '\t', ',', '=']);
    // The opening quote belongs to the value.
    if gap > 0 && behind.get(..gap)?.ends_with(['"', '\'']) && has_gap {
        gap -= 1;
    }
    let given = behind.get(gap..).filter(|given| !given.starts_with(REMOVED))?;
    let length = quoted_length(given).unwrap_or_else(|| {
        let is_end = |letter: char| letter.is_whitespace() || "\"',;|&)]}".contains(letter);
        given.find(is_end).unwrap_or(given.len())
    });
    let word = given.get(..length)?;
    (has_gap && !word.starts_with('-') && !is_harmless(word) && is_secret(value, word)).then_some((end + gap, length))
}

fn is_secret(value: Value, word: &str) -> bool {
    let word = word.trim_matches(['"', '\'']);
    match value {
        Value::Secret(Kind::Token) => word.len() >= TOKEN_LENGTH && has_digit(word),
        Value::Secret(_) => true,
        Value::User => word.split_once(':').is_some_and(|(_, password)| !password.is_empty()),
        Value::Short => {
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            let is_name = word
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || b"-_.".contains(&byte));
            (is_number && word.len() >= 4) || !(is_number || is_name)
        }
    }
}
