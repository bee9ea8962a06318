//! The certificate that AWS accepted last, kept on disk: what is laid over it is used once AWS has accepted that, too.

use std::fs;
use std::path::PathBuf;

use log::Level;
use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::CertificateDer;

use super::certificate::{Certificate, Source};
use super::{Identity, TokenKey};
use crate::atomic_file;
use crate::clock::Clock;
use crate::config::{Folders, IdentityConfig};
use crate::event::{Event, journal};

/// Where it is kept.
#[derive(Clone, Debug)]
pub struct LastAccepted {
    path: PathBuf,
    /// The thing name where it is not the certificate's common name.
    thing_name: Option<String>,
}

impl LastAccepted {
    /// The one in the state folder.
    pub fn new(folders: &Folders, config: &IdentityConfig) -> Self {
        Self {
            path: folders.state.join("proven.pem"),
            thing_name: config.thing_name.clone(),
        }
    }

    /// Keeps the certificate and its chain, in place of the one before.
    pub fn keep(&self, certificate: &Certificate) {
        let text = pem(certificate);
        if fs::read(&self.path).is_ok_and(|kept| kept == text.as_bytes()) {
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

    /// The identity with this certificate, if it still belongs to the key and is still valid.
    pub fn load(&self, key: &TokenKey, clock: &dyn Clock) -> Option<Identity> {
        let info = key.public().subject_public_key_info();
        let source = Source {
            path: &self.path,
            content: None,
            ca_chain: None,
            thing_name: self.thing_name.as_deref(),
        };
        let loaded = Certificate::load(&source, Some(&info), clock).ok()?;
        Some(Identity {
            certificate: loaded.certificate,
            key: key.clone(),
        })
    }
}

fn pem(certificate: &Certificate) -> String {
    let all = std::iter::once(&certificate.leaf).chain(&certificate.chain);
    to_pem(all)
}

/// Certificates as PEM, one after the other.
pub(super) fn to_pem<'a>(all: impl Iterator<Item = &'a CertificateDer<'static>>) -> String {
    let all: Vec<Pem> = all.map(|der| Pem::new("CERTIFICATE", der.to_vec())).collect();
    pem::encode_many_config(&all, EncodeConfig::new().set_line_ending(LineEnding::LF))
}
