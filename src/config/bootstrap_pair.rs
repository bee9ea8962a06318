//! A bootstrap certificate whose key is in the token, for EST and fleet provisioning.

use std::path::PathBuf;

use crate::token::{KeyUri, NamedKey, UriError};

/// The configuration key with the bootstrap certificate for EST.
pub(super) const EST_CERTIFICATE: &str = "enrolment.est.bootstrap-certificate";
/// The configuration key with the URI of its key.
pub(super) const EST_KEY: &str = "enrolment.est.bootstrap-key";

/// A certificate that belongs to a key in the token, and is not the device's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapPair {
    /// The certificate (PEM).
    pub certificate: PathBuf,
    /// The URI of its key.
    pub key: KeyUri,
}

impl BootstrapPair {
    /// Returns the key as the token thread looks for it.
    pub fn named_key(&self, setting: &'static str, certificate_setting: &'static str) -> NamedKey {
        NamedKey {
            uri: self.key.clone(),
            setting,
            certificate: self.certificate.clone(),
            certificate_setting,
        }
    }
}

/// Parses the URI of a key beside the device's. It must say which key it means, because the token has the device's as well.
pub(super) fn parse_other_key(text: &str) -> Result<KeyUri, String> {
    let uri: KeyUri = text.parse().map_err(|error: UriError| error.to_string())?;
    match uri.object().is_some_and(|label| !label.is_empty()) || uri.id().is_some_and(|id| !id.is_empty()) {
        true => Ok(uri),
        false => {
            Err("names no key, only a token, which has the device's key as well; add object=NAME or id=...".to_owned())
        }
    }
}
