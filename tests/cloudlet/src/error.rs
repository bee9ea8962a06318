//! Why the cloudlet could not do what it was asked.

use std::io;

use crate::account::Refusal;

/// Why the cloudlet could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, socket or process failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A certificate cannot be used for what it was given for.
    #[error("certificate: {0}")]
    Certificate(String),
    /// A policy document is not one that AWS IoT would take.
    #[error("policy document: {0}")]
    Policy(String),
    /// A provisioning template is not one that AWS IoT would take.
    #[error("provisioning template: {0}")]
    Template(String),
    /// The account has no such thing, certificate, policy, role or alias, or refuses the change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The account's file does not hold an account.
    #[error("account: {0}")]
    Account(String),
    /// mosquitto did not do what was expected of it.
    #[error("broker: {0}")]
    Broker(String),
    /// The server's own TLS identity could not be made.
    #[error("TLS: {0}")]
    Tls(String),
    /// Nothing that was waited for happened in time.
    #[error("nothing of that kind happened within {0:?}")]
    TimedOut(std::time::Duration),
}

impl Error {
    /// Names what was being done when `source` happened; for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let doing = doing.into();
        move |source| Error::Io { doing, source }
    }
}
