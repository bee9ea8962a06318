//! A key in the token, as the configuration names it.

use std::path::PathBuf;
use std::sync::Arc;

use super::public_key::PublicKey;
use super::uri::KeyUri;
use crate::problem::Problem;

/// The configuration key with the URI of the device's key.
pub const DEVICE_KEY: &str = "token.key";

/// A key in the token, and what messages call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// The URI that selects it.
    pub uri: KeyUri,
    /// The configuration key that has the URI.
    pub setting: &'static str,
    /// A certificate's file, which may have the public key if the token does not.
    pub certificate: PathBuf,
    /// The configuration key that has the path of that file.
    pub certificate_setting: &'static str,
}

/// A key that was found in the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The name that selects it.
    pub name: Arc<NamedKey>,
    /// The public key that was proven to belong to it.
    pub public: PublicKey,
}

impl NamedKey {
    /// Returns whether this is a key of the device, for which gatepost waits, and which it may generate.
    pub(super) fn is_device_key(&self) -> bool {
        self.setting == DEVICE_KEY
    }

    /// Adds the next step to the problem of a key that cannot be used, whatever is done to it.
    pub(super) fn advise_another(&self, problem: Problem) -> Problem {
        match self.is_device_key() {
            true => problem.next("choose another key in token.key, or let gatepost generate one"),
            false => problem.next(format!("name another key in {}, or have a new one made", self.setting)),
        }
    }
}
