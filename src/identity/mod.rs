//! The gateway's identity: its certificate, the key in the token that belongs to it, and TLS with both.

mod bootstrap_certificate;
mod bootstrap_facts;
mod certificate;
mod chain;
mod device;
mod device_identity;
mod error;
mod extensions;
mod files;
mod files_check;
mod key_choice;
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

pub use bootstrap_certificate::{BootstrapCertificate, CLAIM_NAMES, has_expired};
pub use bootstrap_facts::BootstrapFacts;
pub use certificate::{Certificate, Loaded, Source, certificate_id, find_thing_name};
pub use device_identity::Identity;
pub use error::CertificateError;
pub use files::Files;
pub use files_check::{Examined, examine};
pub use key_choice::{choose_key, find_certified, has_certificate_for};
pub use last_accepted::LastAccepted;
pub use offered::{Offered, key_of_request};
pub use request::{is_current, sign_request};
pub use server_proof::ServerProof;
pub use signing_key::TokenKey;
pub use task::{IdentityReceiver, IdentityReporter, IdentityTask, request_path};
pub use tls::{SendChain, bootstrap_config, client_config, server_config};

#[cfg(test)]
mod tests;
