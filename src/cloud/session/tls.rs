//! TLS configuration for the MQTT endpoint.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::clock::SharedClock;
use crate::config::Endpoint;
use crate::identity::{Identity, SendChain, client_config};
use crate::problem::{Problem, with_causes};

/// On port 443 AWS IoT tells MQTT from HTTPS by this protocol name (developer guide, "Device communication protocols").
const ALPN_MQTT: &str = "x-amzn-mqtt-ca";

/// Makes the TLS configuration for connections to `endpoint` as `identity`.
pub(in crate::cloud) fn tls_config(
    endpoint: &Endpoint,
    identity: &Identity,
    roots: &Arc<RootCertStore>,
    chain: SendChain,
    clock: &SharedClock,
) -> Result<Arc<ClientConfig>, Problem> {
    client_config(identity, roots.clone(), chain, alpn(endpoint), clock.clone())
        .map_err(|error| Problem::wait(format!("no TLS: {}", with_causes(&error))))
}

/// Returns the ALPN protocols to offer to the MQTT endpoint: none, except on port 443.
pub(in crate::cloud) fn alpn(endpoint: &Endpoint) -> &'static [&'static str] {
    if endpoint.port == 443 { &[ALPN_MQTT] } else { &[] }
}
