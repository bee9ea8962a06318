//! The error of an answer.

use std::{fmt, io};

/// Why there is no answer.
#[derive(Debug)]
pub enum ResponseError {
    /// The connection ended or failed before the answer was complete.
    Interrupted(io::Error),
    /// Longer than any answer of the daemon.
    TooLarge,
    /// Not HTTP/1.1, and where.
    Malformed(&'static str),
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(error) => error.fmt(f),
            Self::TooLarge => f.write_str("it is too large"),
            Self::Malformed(what) => write!(f, "malformed {what}"),
        }
    }
}

impl From<io::Error> for ResponseError {
    fn from(error: io::Error) -> Self {
        Self::Interrupted(error)
    }
}
