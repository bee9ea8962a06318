//! Stores the certificate that AWS accepted last. A new certificate replaces it once AWS has accepted that one, too.

use std::fs;
use std::path::PathBuf;

use log::Level;

use super::certificate::{Certificate, Source};
use super::device_identity::Identity;
use super::signing_key::TokenKey;
use crate::atomic_file;
use crate::clock::Clock;
use crate::config::{Folders, IdentityConfig};
use crate::event::{Event, journal};
use crate::pem_file;

/// The file with the certificate that AWS accepted last.
#[derive(Clone, Debug)]
pub struct LastAccepted {
    path: PathBuf,
    /// Knows the thing name, if it is not the certificate's common name.
    config: IdentityConfig,
}

impl LastAccepted {
    /// Finds the file in the state folder.
    pub fn new(folders: &Folders, config: &IdentityConfig) -> Self {
        Self {
            path: folders.state.join("proven.pem"),
            config: config.clone(),
        }
    }

    /// Stores the certificate and its chain.
    pub fn keep(&self, certificate: &Certificate) {
        let text = pem(certificate);
        if fs::read(&self.path).is_ok_and(|stored| stored == text.as_bytes()) {
            return;
        }
        if let Err(error) = atomic_file::replace(&self.path, text.as_bytes()) {
            journal!(
                Level::Warn, Event::StateUnwritable;
                "identity: {} cannot be written; if AWS refuses the next certificate, a restart cannot go back to this one: {error}",
                self.path.display()
            );
        }
    }

    /// Loads the identity with this certificate, if the token still has its key and it is still valid. `key` is any key of the device.
    pub fn load(&self, key: &TokenKey, clock: &dyn Clock) -> Option<Identity> {
        let key = key.of_certificate(&self.path)?;
        let info = key.public().subject_public_key_info();
        let source = Source {
            path: &self.path,
            content: None,
            ca_chain: None,
            thing_name: self.config.own_thing_name(),
        };
        let loaded = Certificate::load(&source, Some(&info), clock).ok()?;
        Some(Identity {
            certificate: loaded.certificate,
            key,
        })
    }
}

fn pem(certificate: &Certificate) -> String {
    let all = std::iter::once(&certificate.leaf).chain(&certificate.chain);
    pem_file::encode("CERTIFICATE", all.map(AsRef::as_ref))
}
