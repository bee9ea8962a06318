//! The crate's error type.

use std::io;

use crate::account::Refusal;

/// An error of a cloudlet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, socket or process failed.
    #[error("{doing}: {source}")]
    Io {
        /// The operation that failed.
        doing: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A certificate is not suitable for its purpose.
    #[error("certificate: {0}")]
    Certificate(String),
    /// AWS IoT would not accept a policy document.
    #[error("policy document: {0}")]
    Policy(String),
    /// AWS IoT would not accept a provisioning template.
    #[error("provisioning template: {0}")]
    Template(String),
    /// The account lacks the thing, certificate, policy, role or alias, or refuses the change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The account's file does not contain an account.
    #[error("account: {0}")]
    Account(String),
    /// mosquitto failed.
    #[error("broker: {0}")]
    Broker(String),
    /// The server's TLS identity could not be created.
    #[error("TLS: {0}")]
    Tls(String),
    /// The expected event did not occur in time.
    #[error("nothing of that kind happened within {0:?}")]
    TimedOut(std::time::Duration),
}

impl Error {
    /// Adds the operation that failed to an I/O error, for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let doing = doing.into();
        move |source| Error::Io { doing, source }
    }
}
