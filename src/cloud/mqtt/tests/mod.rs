//! Tests of one connection, over TLS, with a server that each case scripts. Most cases come from the comparison of MQTT clients in
//! docs/decisions/0003-mqtt-client.md, which names them.

mod connecting;
mod first_contact;
mod lifetime;
mod publishing;
mod receiving;

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::join;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{ConnectError, ConnectOptions, Connection, Terms};
use crate::cloud::connector::Connector;
use crate::config::Endpoint;
use crate::messages::Message;

const ALPN: &[u8] = b"x-amzn-mqtt-ca";

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(ca: &Ca, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, ca).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    (vec![certificate.der().clone()], key)
}

/// A server that requires a client certificate of its CA, and a client that has one.
struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ca: Ca,
    tls: ClientConfig,
    options: ConnectOptions,
}

impl Server {
    async fn start() -> Self {
        let ca = ca();
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let (chain, key) = certificate(&ca, "localhost");
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        server.alpn_protocols = vec![ALPN.to_vec()];
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(server)),
            tls: client_tls(&ca, certificate(&ca, "gw-1")),
            ca,
            options: ConnectOptions {
                client_id: "gw-1".to_owned(),
                clean_start: false,
                keep_alive: Duration::from_secs(60),
                session_expiry: Duration::from_secs(3600),
                will: None,
            },
        }
    }

    async fn connect(&self) -> Result<(Connection, Terms), ConnectError> {
        let port = self.listener.local_addr().unwrap().port();
        let endpoint = Endpoint::parse("localhost", port).unwrap();
        Connection::open(
            &Connector::default(),
            &endpoint,
            Arc::new(self.tls.clone()),
            &self.options,
        )
        .await
    }

    /// Accepts a connection, and reads CONNECT.
    async fn accept(&self) -> (Peer, Vec<u8>) {
        let (tcp, _) = self.listener.accept().await.unwrap();
        let mut peer = Peer {
            stream: self.acceptor.accept(tcp).await.unwrap(),
        };
        let connect = peer.read().await.unwrap();
        assert_eq!(connect[0], 0x10, "CONNECT");
        (peer, connect)
    }

    /// Returns both ends of a connection that was accepted with this CONNACK.
    async fn open(&self, connack: &[u8]) -> (Connection, Terms, Peer) {
        let accepting = async {
            let (mut peer, _) = self.accept().await;
            peer.send(connack).await;
            peer
        };
        let (connected, peer) = join!(self.connect(), accepting);
        let (connection, terms) = connected.unwrap();
        (connection, terms, peer)
    }
}

/// Returns the configuration of a client that trusts `ca` and has this certificate.
fn client_tls(ca: &Ca, identity: (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(identity.0, identity.1)
        .unwrap();
    client.alpn_protocols = vec![ALPN.to_vec()];
    client
}

/// The server's end of a connection. It reads and writes whole packets, without the client's code.
struct Peer {
    stream: TlsStream<TcpStream>,
}

impl Peer {
    /// Reads the next packet; `None` at the end of the stream.
    async fn read(&mut self) -> Option<Vec<u8>> {
        let mut packet = vec![self.stream.read_u8().await.ok()?];
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            packet.push(byte);
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let head = packet.len();
        packet.resize(head + length, 0);
        self.stream.read_exact(&mut packet[head..]).await.ok()?;
        Some(packet)
    }

    /// Reads the next packet, which must be PUBLISH at QoS 1 on `t`; returns its packet identifier and payload.
    async fn read_publish(&mut self) -> (u16, Vec<u8>) {
        let packet = self.read().await.unwrap();
        assert_eq!(packet[0], 0x32, "PUBLISH: {packet:02x?}");
        let body = packet.iter().skip(1).position(|byte| byte & 0x80 == 0).unwrap() + 2;
        assert_eq!(packet[body..body + 3], *b"\x00\x01t");
        let id = u16::from_be_bytes([packet[body + 3], packet[body + 4]]);
        // No properties.
        assert_eq!(packet[body + 5], 0);
        (id, packet[body + 6..].to_vec())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Announces the end of the stream, and closes.
    async fn close(mut self) {
        self.stream.shutdown().await.unwrap();
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let more = u8::from(length > 0x7f) << 7;
        packet.push(u8::try_from(length & 0x7f).unwrap() | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

fn connack(properties: &[u8]) -> Vec<u8> {
    let length = u8::try_from(properties.len()).unwrap();
    packet(0x20, &[&[0, 0, length], properties].concat())
}

/// Returns PUBLISH at QoS 1 on `t`.
fn publish(id: u16, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[b"\x00\x01t", &id.to_be_bytes()[..], &[0], payload].concat())
}

fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

fn message(payload: Vec<u8>) -> Message {
    Message {
        topic: "t".into(),
        payload: payload.into(),
        ..Message::default()
    }
}

/// Returns the next PUBLISH that reaches the server, while the client only writes.
async fn sent(connection: &mut Connection, peer: &mut Peer) -> (u16, Vec<u8>) {
    tokio::select! {
        outcome = connection.next() => panic!("nothing was sent to the client: {outcome:?}"),
        publish = peer.read_publish() => publish,
    }
}
