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
        self.named(self.key.clone())
    }

    /// Returns the second key of the device, which takes turns with the first where each certificate gets a new key; `None` if the
    /// first has no label.
    pub fn second_key(&self) -> Option<NamedKey> {
        Some(self.named(self.key.second_key()?))
    }

    fn named(&self, uri: KeyUri) -> NamedKey {
        NamedKey {
            uri,
            setting: DEVICE_KEY,
            certificate: self.certificate.clone(),
            certificate_setting: "identity.certificate",
        }
    }
}
