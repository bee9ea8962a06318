//! Words of the command line that must be text or numbers.

use std::ffi::OsStr;
use std::str::FromStr;

use crate::exit::{Exit, Failure};

/// A word that goes into a document.
pub(crate) fn text(word: &OsStr) -> Result<&str, Failure> {
    word.to_str()
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{word:?} is not UTF-8")))
}

/// The number after an option; `what` is what there is a number of.
pub(crate) fn number<T: FromStr>(option: &str, word: &OsStr, what: &str) -> Result<T, Failure> {
    let number = word.to_str().and_then(|word| word.parse().ok());
    number.ok_or_else(|| Failure::new(Exit::Usage, format!("{option}: {word:?} is not a number of {what}")))
}
