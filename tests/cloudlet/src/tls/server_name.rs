//! Selects the server's certificate, for its own name only.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::switches::SwitchBoard;

/// Refuses every handshake whose SNI is not exactly the endpoint's name (developer guide, transport-security).
#[derive(Debug)]
pub(super) struct ServerNameResolver {
    host: String,
    key: Arc<CertifiedKey>,
    switches: SwitchBoard,
}

impl ServerNameResolver {
    pub(super) fn new(host: &str, key: CertifiedKey, switches: SwitchBoard) -> Self {
        Self {
            host: host.to_owned(),
            key: Arc::new(key),
            switches,
        }
    }
}

impl ResolvesServerCert for ServerNameResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let accepted = match hello.server_name() {
            Some(name) => name.eq_ignore_ascii_case(&self.host),
            None => self.switches.get(|switches| switches.accept_without_sni),
        };
        accepted.then(|| self.key.clone())
    }
}
