//! Behaviour of a server after CONNECT, and its interpretation: only a connection that ends without a single byte looks like AWS's
//! rejection of a certificate.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::{ConnectError, ConnectOptions, Connection};
use crate::cloud::connector::Connector;
use crate::config::Endpoint;

/// The behaviour of the server once it has read CONNECT.
#[derive(Clone, Debug)]
enum Script {
    /// Sends this, then closes TLS and TCP.
    Say(Vec<u8>),
    /// Sends this, then closes TCP without TLS's close_notify.
    SayAndVanish(Vec<u8>),
    /// Resets the connection.
    Reset,
}

fn serve(listener: &TcpListener, tls: Arc<ServerConfig>, script: &Script) {
    let (tcp, _) = listener.accept().unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), tcp);
    let mut connect = [0; 1024];
    assert!(stream.read(&mut connect).unwrap() > 0);
    match script {
        Script::Say(bytes) | Script::SayAndVanish(bytes) => {
            if !bytes.is_empty() {
                stream.write_all(bytes).unwrap();
            }
            if matches!(script, Script::Say(_)) {
                stream.conn.send_close_notify();
            }
            stream.flush().unwrap();
        }
        Script::Reset => reset(stream.sock),
    }
}

/// Resets a connection. Closing a socket with SO_LINGER of zero sends RST.
fn reset(tcp: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&tcp, Some(Duration::ZERO)).unwrap();
    drop(tcp);
}

/// Returns the result of [`Connection::open`] with a server that follows the script.
async fn outcome_of(script: &Script) -> Result<(), ConnectError> {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    let private_key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private_key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = Endpoint::parse("localhost", port).unwrap();
    let options = ConnectOptions {
        client_id: "gw-1".to_owned(),
        clean_start: false,
        keep_alive: Duration::from_secs(60),
        session_expiry: Duration::from_secs(3600),
        will: None,
    };
    let followed = script.clone();
    let serving = tokio::task::spawn_blocking(move || serve(&listener, Arc::new(server), &followed));
    let outcome = Connection::open(&Connector::default(), &endpoint, Arc::new(client), &options).await;
    serving.await.unwrap();
    outcome.map(drop)
}

#[tokio::test]
async fn what_a_server_can_do_at_first_contact_and_what_it_is_taken_for() {
    use Script::{Reset, Say, SayAndVanish};
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
    // "any but lost": the strictness of the codec does not matter here.
    let cases: Vec<(&str, Script, &str)> = vec![
        ("closed", Say(vec![]), "lost"),
        ("vanished", SayAndVanish(vec![]), "lost"),
        ("reset", Reset, "lost"),
        ("accepted", Say(vec![0x20, 3, 0, 0, 0]), "accepted"),
        ("accepted with a session", Say(vec![0x20, 3, 1, 0, 0]), "accepted"),
        ("garbage", Say(vec![0xff; 64]), "not MQTT"),
        ("zeros", Say(vec![0; 64]), "not MQTT"),
        ("one byte", Say(vec![0x20]), "not MQTT"),
        ("half a CONNACK", Say(vec![0x20, 3, 0]), "not MQTT"),
        ("half a CONNACK, then nothing", SayAndVanish(vec![0x20, 3]), "not MQTT"),
        (
            "a remaining length without end",
            Say(vec![0x20, 0xff, 0xff, 0xff, 0xff, 0xff]),
            "not MQTT",
        ),
        ("reserved flags", Say(vec![0x2f, 3, 0, 0, 0]), "any but lost"),
        (
            "reserved acknowledge flags",
            Say(vec![0x20, 3, 0xfe, 0, 0]),
            "any but lost",
        ),
        (
            "properties longer than the packet",
            Say(vec![0x20, 3, 0, 0, 9]),
            "not MQTT",
        ),
        (
            "an unknown property",
            Say(vec![0x20, 5, 0, 0, 2, 0x7f, 0]),
            "any but lost",
        ),
        (
            "a receive maximum of zero",
            Say(vec![0x20, 6, 0, 0, 3, 0x21, 0, 0]),
            "any but lost",
        ),
        ("a CONNACK of MQTT 3.1.1", Say(vec![0x20, 2, 0, 5]), "any but lost"),
        ("an unknown reason code", Say(vec![0x20, 3, 0, 0x7f, 0]), "any but lost"),
        ("PINGRESP", Say(vec![0xd0, 0]), "not MQTT"),
        ("PUBLISH", Say(vec![0x30, 4, 0, 1, b'a', 0]), "not MQTT"),
        ("SUBACK", Say(vec![0x90, 4, 0, 1, 0, 0]), "not MQTT"),
        ("DISCONNECT", Say(vec![0xe0, 2, 0x8b, 0]), "not MQTT"),
        ("HTTP", Say(http.clone()), "not MQTT"),
        ("HTTP, then nothing", SayAndVanish(http), "not MQTT"),
        ("a short text", Say(b"hello\n".to_vec()), "not MQTT"),
        ("SSH", Say(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), "not MQTT"),
    ];
    let codes = [
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
        0x9c, 0x9d, 0x9f,
    ];
    let refusals = codes.map(|code| ("a refusal", Say(vec![0x20, 3, 0, code, 0]), "refused"));
    for (name, script, expected) in cases.into_iter().chain(refusals) {
        let outcome = outcome_of(&script).await;
        let kind = match &outcome {
            Ok(()) => "accepted",
            Err(ConnectError::LostBeforeConnack(_)) => "lost",
            Err(ConnectError::NotMqtt(_) | ConnectError::Protocol(_)) => "not MQTT",
            Err(ConnectError::Refused(_)) => "refused",
            Err(ConnectError::Unreachable(_)) => "unreachable",
        };
        match expected {
            "any but lost" => assert_ne!(kind, "lost", "{name}: {outcome:?}"),
            _ => assert_eq!(kind, expected, "{name} {script:?}: {outcome:?}"),
        }
        if let Err(ConnectError::NotMqtt(words) | ConnectError::LostBeforeConnack(words)) = outcome {
            assert!(!words.contains("http"), "no library's link: {words}");
        }
    }
}
