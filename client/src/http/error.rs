//! The error of a response.

use std::{fmt, io};

/// The reason why there is no response.
#[derive(Debug)]
pub enum ResponseError {
    /// The connection ended or failed before the answer was complete.
    Interrupted(io::Error),
    /// It is longer than any response of the daemon.
    TooLarge,
    /// It is not valid HTTP/1.1, for this reason.
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
