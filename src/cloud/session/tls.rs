//! TLS configuration for the MQTT endpoint.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::clock::SharedClock;
use crate::identity::{Identity, SendChain, client_config};
use crate::problem::{Problem, with_causes};

/// Makes the TLS configuration for connections as `identity`, with the protocols that are offered by ALPN.
pub(in crate::cloud) fn tls_config(
    alpn: &[&str],
    identity: &Identity,
    roots: &Arc<RootCertStore>,
    chain: SendChain,
    clock: &SharedClock,
) -> Result<Arc<ClientConfig>, Problem> {
    client_config(identity, roots.clone(), chain, alpn, clock.clone())
        .map_err(|error| Problem::wait(format!("no TLS: {}", with_causes(&error))))
}
