//! Parses command-line words that must be text or numbers.

use std::ffi::OsStr;
use std::str::FromStr;

use crate::exit::{Exit, Failure};

/// Returns a word as text, for use in a document.
pub(crate) fn text(word: &OsStr) -> Result<&str, Failure> {
    word.to_str()
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{word:?} is not UTF-8")))
}

/// Parses the duration after an option, in seconds: `90`, `90s`, `10min`, `2h`, `1d`.
pub(crate) fn seconds(option: &str, word: &OsStr) -> Result<u64, Failure> {
    let parse = |word: &str| {
        let digits = word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len());
        let (number, unit) = word.split_at_checked(digits)?;
        let factor = match unit {
            "" | "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor)
    };
    word.to_str().and_then(parse).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!("{option}: {word:?} is not a span of time, such as 90s, 10min, 2h or 1d"),
        )
    })
}

/// Parses the number after an option; `what` names what is counted.
pub(crate) fn number<T: FromStr>(option: &str, word: &OsStr, what: &str) -> Result<T, Failure> {
    let number = word.to_str().and_then(|word| word.parse().ok());
    number.ok_or_else(|| Failure::new(Exit::Usage, format!("{option}: {word:?} is not a number of {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        for (word, expected) in [
            ("90", Some(90)),
            ("90s", Some(90)),
            ("1sec", Some(1)),
            ("10min", Some(600)),
            ("10m", Some(600)),
            ("2h", Some(7200)),
            ("1d", Some(86_400)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5h", None),
            ("1 h", None),
            ("1week", None),
            ("18446744073709551615d", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(seconds("--for", OsStr::new(word)).ok(), expected, "{word}");
        }
    }
}
