//! Certificate and key as one: who this gateway is, and how it proves it.

mod certificate;
mod files;
mod proven;
mod request;
pub mod roots;
mod signing_key;
mod task;
mod tls;

pub use certificate::{Certificate, Refusal, thing_name};
pub use files::Files;
pub use proven::Proven;
pub use signing_key::TokenKey;
pub use task::{IdentityReceiver, IdentityTask, request_path};
pub use tls::{SendChain, client_config};

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
