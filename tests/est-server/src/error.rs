//! Why the server could not do what it was asked.

use std::io;

/// Why the server could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or socket failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A CA certificate or key cannot be used.
    #[error("CA: {0}")]
    Ca(String),
    /// The PKCS#11 module refused.
    #[error("PKCS#11: {0}")]
    Token(String),
    /// The server's own TLS identity could not be made.
    #[error("TLS: {0}")]
    Tls(String),
    /// Nothing that was waited for happened in time.
    #[error("nothing of that kind happened within {0:?}")]
    TimedOut(std::time::Duration),
}

impl Error {
    /// Names what was being done when `source` happened; for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
