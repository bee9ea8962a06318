//! Sentences that name a secret: `the PIN 1234 was rejected`, `the password is hunter2`, `Bearer abc`.

use super::names::{Kind, kind};
use super::value::{REMOVED, has_digit};

/// Words that may stand between the name and the value.
const LINKS: [&str; 4] = ["is", "was", "of", "to"];
/// Minimum number of digits of a PIN. A shorter number is a count.
const PIN_LENGTH: usize = 4;
/// Minimum length of Bearer and Basic credentials. Words that follow these names in a sentence are shorter.
const TOKEN_LENGTH: usize = 8;
/// Punctuation around a word.
const AROUND: [char; 10] = ['"', '\'', '(', ')', ',', ';', ':', '.', '!', '?'];

/// Removes secrets that a sentence names from a line.
pub(super) fn remove(line: &str) -> String {
    let mut named: Option<Kind> = None;
    let mut out = String::with_capacity(line.len());
    for piece in line.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let bare = word.trim_matches(AROUND);
        match named {
            Some(kind) if is_value(kind, word, bare) => {
                out.push_str(&piece.replacen(bare, REMOVED, 1));
                named = None;
            }
            Some(_) if LINKS.contains(&bare) || bare.is_empty() => out.push_str(piece),
            _ => {
                named = name(bare);
                out.push_str(piece);
            }
        }
    }
    out
}

fn name(word: &str) -> Option<Kind> {
    match word {
        "Bearer" | "Basic" => Some(Kind::Token),
        word if word.chars().all(char::is_alphabetic) => {
            kind(word).filter(|kind| matches!(kind, Kind::Pin | Kind::Password))
        }
        _ => None,
    }
}

fn is_value(kind: Kind, word: &str, bare: &str) -> bool {
    let is_quoted = word.starts_with(['"', '\'']) && bare.len() < word.len();
    match kind {
        Kind::Pin => bare.len() >= PIN_LENGTH && bare.bytes().all(|byte| byte.is_ascii_digit()),
        Kind::Password => !bare.is_empty() && bare != REMOVED && (is_quoted || has_digit(bare)),
        Kind::Token => bare.len() >= TOKEN_LENGTH && (has_digit(bare) || bare.ends_with('=')),
        Kind::Header => false,
    }
}
