//! The error type.

use std::io;

/// The reason why the server could not do what was requested.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or socket failed.
    #[error("{doing}: {source}")]
    Io {
        /// The operation that failed.
        doing: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A CA certificate or key cannot be used.
    #[error("CA: {0}")]
    Ca(String),
    /// The PKCS#11 module returned an error.
    #[error("PKCS#11: {0}")]
    Token(String),
    /// The server's own TLS identity could not be created.
    #[error("TLS: {0}")]
    Tls(String),
    /// The expected event did not occur in time.
    #[error("nothing of that kind happened within {0:?}")]
    TimedOut(std::time::Duration),
}

impl Error {
    /// Adds the operation that failed to an I/O error, for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
