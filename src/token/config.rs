//! The checked `[token]` section of the configuration.

use std::path::PathBuf;

use super::algorithm::Generate;
use super::named_key::{DEVICE_KEY, NamedKey};
use super::uri::KeyUri;

/// `[token]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The key.
    pub key: KeyUri,
    /// The file with the PIN; `None` means the systemd credential named `pin`.
    pub pin_file: Option<PathBuf>,
    /// Whether, and with which algorithm, a key is generated if the token has none.
    pub generate: Generate,
    /// `identity.certificate`, which may have the public key if the token does not.
    pub certificate: PathBuf,
}

impl TokenConfig {
    /// Returns the device's key.
    pub fn device_key(&self) -> NamedKey {
        NamedKey {
            uri: self.key.clone(),
            setting: DEVICE_KEY,
            certificate: self.certificate.clone(),
            certificate_setting: "identity.certificate",
        }
    }
}
