//! The server's TLS configurations.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::authority::Authority;
use super::server_name::ServerNameResolver;
use super::verifier::DeviceVerifier;
use crate::account::SharedAccount;
use crate::switches::{SwitchBoard, TlsVersions};
use crate::{Endpoint, Error};

/// ALPN of MQTT with a client certificate (developer guide, protocols).
pub(super) const ALPN_MQTT: &[u8] = b"x-amzn-mqtt-ca";

/// The server's configurations: one for each endpoint and choice of versions.
pub(crate) struct ServerConfigs {
    mqtt: ByVersion,
    credentials: ByVersion,
}

struct ByVersion {
    both: Arc<ServerConfig>,
    only_12: Arc<ServerConfig>,
    only_13: Arc<ServerConfig>,
}

impl ServerConfigs {
    pub(crate) fn new(
        authority: &Authority,
        host: &str,
        account: &SharedAccount,
        switches: &SwitchBoard,
    ) -> Result<Self, Error> {
        let resolver = Arc::new(ServerNameResolver::new(
            host,
            authority.server_key(host)?,
            switches.clone(),
        ));
        let verifier = Arc::new(DeviceVerifier::new(account.clone(), switches.clone()));
        let of = |alpn: &[u8], versions: &[&'static SupportedProtocolVersion]| -> Result<Arc<ServerConfig>, Error> {
            let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_protocol_versions(versions)
                .map_err(|error| Error::Tls(error.to_string()))?
                .with_client_cert_verifier(verifier.clone())
                .with_cert_resolver(resolver.clone());
            config.alpn_protocols = vec![alpn.to_vec()];
            // developer guide, transport-security: SessionTicket is not supported; every connection is a full
            // handshake, and so a signature of the device's token.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            Ok(Arc::new(config))
        };
        let by_version = |alpn: &[u8]| -> Result<ByVersion, Error> {
            Ok(ByVersion {
                both: of(alpn, &[&TLS13, &TLS12])?,
                only_12: of(alpn, &[&TLS12])?,
                only_13: of(alpn, &[&TLS13])?,
            })
        };
        Ok(Self {
            mqtt: by_version(ALPN_MQTT)?,
            credentials: by_version(b"http/1.1")?,
        })
    }

    /// Returns the configuration of an endpoint for these versions.
    pub(super) fn get(&self, endpoint: Endpoint, versions: TlsVersions) -> Arc<ServerConfig> {
        let by_version = match endpoint {
            Endpoint::Mqtt => &self.mqtt,
            Endpoint::Credentials => &self.credentials,
        };
        match versions {
            TlsVersions::Both => by_version.both.clone(),
            TlsVersions::Only12 => by_version.only_12.clone(),
            TlsVersions::Only13 => by_version.only_13.clone(),
        }
    }
}
