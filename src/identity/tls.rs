//! Creates the TLS client configuration of each endpoint, with the key in the token, our clock, the trusted roots and ring.

use std::sync::Arc;

use rustls::client::{ClientConfig, ResolvesClientCert, Resumption};
use rustls::pki_types::UnixTime;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, SignatureScheme};

use super::bootstrap_certificate::BootstrapCertificate;
use super::device_identity::Identity;
use crate::clock::SharedClock;

/// The part of the chain that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendChain {
    /// The device certificate alone, which is enough once AWS knows it.
    Leaf,
    /// The device certificate and the CA certificates, by which just-in-time provisioning finds the CA.
    Full,
}

/// Returns the versions that a key can be used in.
fn versions(can_tls13: bool) -> &'static [&'static rustls::SupportedProtocolVersion] {
    const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    if can_tls13 { BOTH } else { TLS12 }
}

/// Creates the configuration for one endpoint.
///
/// # Errors
/// If the provider lacks a protocol version, which ring never does.
pub fn client_config(
    identity: &Identity,
    roots: Arc<RootCertStore>,
    send: SendChain,
    alpn: &[&str],
    clock: SharedClock,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut chain = vec![identity.certificate.leaf.clone()];
    if send == SendChain::Full {
        chain.extend(identity.certificate.chain.iter().cloned());
    }
    let certified = Arc::new(CertifiedKey::new(chain, Arc::new(identity.key.clone())));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(WallTime(clock)))
        .with_protocol_versions(versions(identity.key.can_tls13()))?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(FixedCertificate(certified)));
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    // AWS IoT never resumes a session (developer guide, "Transport security": SessionTicket is not supported).
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Creates the configuration for one endpoint with a bootstrap certificate in the place of the device's own.
///
/// # Errors
/// If the provider lacks a protocol version, which ring never does.
pub fn bootstrap_config(
    certificate: &BootstrapCertificate,
    roots: Arc<RootCertStore>,
    alpn: &[&str],
    clock: SharedClock,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(WallTime(clock)))
        .with_protocol_versions(versions(certificate.can_tls13()))?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(FixedCertificate(certificate.certified())));
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Creates the configuration for a server that needs no client certificate.
///
/// # Errors
/// If the provider lacks a protocol version, which ring never does.
pub fn server_config(roots: Arc<RootCertStore>, clock: SharedClock) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(WallTime(clock)))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Presents the certificate whatever issuers the server requests. AWS requests none in particular.
#[derive(Debug)]
struct FixedCertificate(Arc<CertifiedKey>);

impl ResolvesClientCert for FixedCertificate {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The time for the validity of server certificates, from the same clock as everything else.
#[derive(Debug)]
pub(super) struct WallTime(pub(super) SharedClock);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        self.0
            .wall()
            .duration_since(std::time::UNIX_EPOCH)
            .ok()
            .map(UnixTime::since_unix_epoch)
    }
}
