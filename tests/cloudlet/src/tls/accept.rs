//! Performs the TLS handshake of a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::server_configs::ALPN_MQTT;
use crate::Endpoint;
use crate::account::CertificateId;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::x509::ParsedCertificate;

/// Time limit of a handshake. A TPM takes up to 600 ms for a signature, and one that a test slows down takes longer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// Port 443 is shared with HTTPS, so MQTT must name itself by ALPN there (developer guide, protocols).
const PORT_WITH_ALPN: u16 = 443;

/// A client that has proved possession of its certificate's key. Nothing else has been checked.
pub(crate) struct Accepted {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) peer: SocketAddr,
    pub(crate) certificate: Arc<ParsedCertificate>,
    pub(crate) id: CertificateId,
}

/// Performs a handshake, and reports its outcome as an event.
pub(crate) async fn accept(cloud: &Cloud, endpoint: Endpoint, tcp: TcpStream, peer: SocketAddr) -> Option<Accepted> {
    let shaken = timeout(HANDSHAKE_TIMEOUT, shake_hands(cloud, endpoint, tcp, peer));
    match shaken.await.unwrap_or_else(|_| Err("timed out".to_owned())) {
        Ok(accepted) => {
            let tls = accepted.stream.get_ref().1;
            let chain = tls.peer_certificates().map_or(0, <[_]>::len);
            let version = tls.protocol_version();
            let version = version.and_then(|version| version.as_str()).unwrap_or("TLS").to_owned();
            cloud.count_handshake(endpoint);
            cloud.events.push(Event::TlsAccepted {
                endpoint,
                peer,
                version,
                certificate: accepted.id.clone(),
                chain,
            });
            Some(accepted)
        }
        Err(reason) => {
            cloud.events.push(Event::TlsRefused { endpoint, peer, reason });
            None
        }
    }
}

async fn shake_hands(cloud: &Cloud, endpoint: Endpoint, tcp: TcpStream, peer: SocketAddr) -> Result<Accepted, String> {
    let port = tcp.local_addr().map_err(|error| error.to_string())?.port();
    // Nagle's algorithm is disabled: a request and its response are single small segments here.
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let start = LazyConfigAcceptor::new(Acceptor::default(), tcp)
        .await
        .map_err(|error| error.to_string())?;
    let hello = start.client_hello();
    let server_name = hello
        .server_name()
        .map_or_else(|| "no SNI".to_owned(), |name| format!("SNI {name:?}"));
    let offers_mqtt = hello
        .alpn()
        .is_some_and(|mut offered| offered.any(|protocol| protocol == ALPN_MQTT));
    let (versions, require_alpn) = cloud
        .switches
        .get(|switches| (switches.tls_versions, switches.require_alpn));
    if endpoint == Endpoint::Mqtt && (require_alpn || port == PORT_WITH_ALPN) && !offers_mqtt {
        return Err("no ALPN x-amzn-mqtt-ca".to_owned());
    }
    let config = cloud.tls.get(endpoint, versions);
    let stream = start
        .into_stream(config)
        .await
        .map_err(|error| format!("{error} ({server_name})"))?;
    let leaf = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .ok_or("no certificate")?;
    let certificate = ParsedCertificate::from_der(leaf).map_err(|error| error.to_string())?;
    Ok(Accepted {
        id: CertificateId::of(&certificate),
        certificate: Arc::new(certificate),
        stream,
        peer,
    })
}
