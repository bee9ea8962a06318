//! The certificate and its key.

use super::certificate::Certificate;
use super::signing_key::TokenKey;

/// A certificate chain and the key in the token that it belongs to.
#[derive(Debug, PartialEq)]
pub struct Identity {
    /// The chain.
    pub certificate: Certificate,
    /// The key.
    pub key: TokenKey,
}
