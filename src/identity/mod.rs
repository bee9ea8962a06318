//! Certificate and key as one: who this gateway is, and how it proves it.

mod certificate;
mod chain;
mod device;
mod error;
mod extensions;
mod files;
mod files_check;
mod last_accepted;
mod name;
mod name_constraints;
mod offered;
mod request;
pub mod roots;
mod server_proof;
mod signature;
mod signing_key;
mod task;
mod tls;
mod usage;
mod validity;

pub use certificate::{Certificate, Loaded, Source, thing_name};
pub use error::CertificateError;
pub use files::Files;
pub use files_check::{Examined, examine};
pub use last_accepted::LastAccepted;
pub use offered::{Offered, key_of_request};
pub use server_proof::ServerProof;
pub use signing_key::TokenKey;
pub use task::{IdentityReceiver, IdentityTask, request_path};
pub use tls::{SendChain, client_config, server_config};

use crate::status::{IdentityDetails, IdentityPhase, Reporter};

/// The identity's reporting end.
pub type IdentityReporter = Reporter<IdentityPhase, IdentityDetails>;

/// A certificate chain and the key in the token that it belongs to.
#[derive(Debug, PartialEq)]
pub struct Identity {
    /// The chain.
    pub certificate: Certificate,
    /// The key.
    pub key: TokenKey,
}

#[cfg(test)]
mod tests;
