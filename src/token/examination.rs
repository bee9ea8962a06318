//! The result of an examination of the token.

use super::algorithm::KeyAlgorithm;
use super::error::TokenError;
use super::public_key::PublicKey;
use crate::problem::Problem;

/// A step on the way to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The module is loaded and initialised.
    Module,
    /// The token is found.
    Token,
    /// The PIN is accepted.
    Pin,
    /// The key is found.
    Key,
}

/// The result of an examination.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The token's label.
    pub label: String,
    /// Whether the token requires a PIN.
    pub login: bool,
    /// Whether the PIN is typed into the token's own reader.
    pub protected_path: bool,
    /// The key's algorithm; `None` if there is no key yet.
    pub key: Option<KeyAlgorithm>,
    /// The problem of a missing key, for a configuration that does not generate one.
    pub missing: Option<Problem>,
    /// The key beside the device's that was asked for, or why it cannot be used.
    pub other: Option<Result<PublicKey, TokenError>>,
    /// The other keys in the token, for messages.
    pub others: Option<String>,
}
