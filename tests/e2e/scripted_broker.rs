//! A broker behind TLS that follows a test's script, valid or not. Its packets are bytes in the test, so that no codec hides a protocol
//! error from the gateway.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rig::fleet_ca::FleetCa;
use rig::wait;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::SOON;

/// The behaviour of the broker on each connection.
#[derive(Clone, Debug)]
pub struct Script {
    /// The answer to CONNECT.
    pub connack: Vec<u8>,
    /// Bytes to send directly after it.
    pub then: Vec<u8>,
    /// Bytes to send directly after each SUBACK, like retained messages.
    pub retained: Vec<u8>,
    /// Send them only if SUBSCRIBE contains this filter.
    pub retained_for: &'static str,
    /// Whether messages and subscriptions are acknowledged.
    pub acknowledges: bool,
    /// Whether anything is sent after that.
    pub speaks: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            connack: connack(&[]),
            then: Vec::new(),
            retained: Vec::new(),
            retained_for: "",
            acknowledges: true,
            speaks: true,
        }
    }
}

/// The broker. It accepts every client certificate, and its own is signed by the fleet CA.
pub struct ScriptedBroker {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    script: Script,
    /// All packets received, on all connections.
    packets: Vec<Vec<u8>>,
}

impl ScriptedBroker {
    pub fn start(ca: &FleetCa) -> Self {
        let (certificate, key) = ca.server("localhost").unwrap();
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key.key_path()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let (config, state) = (Arc::new(config), Arc::<Mutex<State>>::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let broker = Self {
            port: listener.local_addr().unwrap().port(),
            state: state.clone(),
        };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, state) = (config.clone(), state.clone());
                thread::spawn(move || {
                    let tls = ServerConnection::new(config).unwrap();
                    // The gateway may hang up at any time.
                    let _ = serve(StreamOwned::new(tls, stream), &state);
                });
            }
        });
        broker
    }

    pub fn endpoint(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Replaces the script.
    pub fn play(&self, script: Script) {
        let mut state = self.state.lock().unwrap();
        state.script = script;
        state.packets.clear();
    }

    pub fn packets(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().packets.clone()
    }

    /// Waits for a packet that satisfies `is`.
    pub fn wait_for(&self, what: &str, is: impl Fn(&[u8]) -> bool) {
        wait::until(SOON, what, || self.packets().iter().any(|packet| is(packet)))
            .unwrap_or_else(|error| panic!("{error}: {:02x?}", self.packets()));
    }
}

fn serve(mut tls: StreamOwned<ServerConnection, TcpStream>, state: &Mutex<State>) -> std::io::Result<()> {
    loop {
        let packet = read_packet(&mut tls)?;
        let script = {
            let mut state = state.lock().unwrap();
            state.packets.push(packet.clone());
            state.script.clone()
        };
        let answer = match packet[0] >> 4 {
            1 => [script.connack, script.then].concat(),
            _ if !script.speaks => Vec::new(),
            3 if script.acknowledges && packet[0] & 6 > 0 => {
                vec![0x40, 2, id_of_publish(&packet)[0], id_of_publish(&packet)[1]]
            }
            8 if script.acknowledges && names(&packet, script.retained_for) => {
                [suback(&packet), script.retained].concat()
            }
            8 if script.acknowledges => suback(&packet),
            12 => vec![0xd0, 0],
            _ => Vec::new(),
        };
        tls.write_all(&answer)?;
        tls.flush()?;
    }
}

/// Reads one packet: its first byte and its body, without the length between them.
fn read_packet(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut byte = || {
        let mut one = [0];
        from.read_exact(&mut one).map(|()| one[0])
    };
    let mut packet = vec![byte()?];
    let (mut length, mut shift) = (0, 0);
    loop {
        let next = byte()?;
        length |= usize::from(next & 0x7f) << shift;
        shift += 7;
        if next & 0x80 == 0 {
            break;
        }
    }
    packet.resize(1 + length, 0);
    from.read_exact(&mut packet[1..])?;
    Ok(packet)
}

fn id_of_publish(packet: &[u8]) -> [u8; 2] {
    let topic = usize::from(u16::from_be_bytes([packet[1], packet[2]]));
    [packet[3 + topic], packet[4 + topic]]
}

/// Returns whether a SUBSCRIBE contains the filter. Each one contains the empty filter.
fn names(packet: &[u8], filter: &str) -> bool {
    filter.is_empty() || packet.windows(filter.len()).any(|part| part == filter.as_bytes())
}

/// Grants every filter at QoS 1.
fn suback(packet: &[u8]) -> Vec<u8> {
    let (mut at, mut codes) = (4, Vec::new());
    while at < packet.len() {
        at += 3 + usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
        codes.push(1);
    }
    framed(0x90, &[&packet[1..3], &[0], &codes].concat())
}

/// Returns a packet: first byte, length, body.
pub fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut packet, mut length) = (vec![first], body.len());
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            packet.push(byte);
            break;
        }
        packet.push(byte | 0x80);
    }
    packet.extend_from_slice(body);
    packet
}

/// Returns CONNACK with success, a new session and these properties (less than 128 bytes).
pub fn connack(properties: &[u8]) -> Vec<u8> {
    framed(0x20, &[&[0, 0, properties.len() as u8], properties].concat())
}

/// Returns PUBLISH on `t` with these flags, packet identifier if there is one, and properties (less than 128 bytes).
pub fn publish(flags: u8, packet_id: &[u8], properties: &[u8], payload: &[u8]) -> Vec<u8> {
    framed(
        0x30 | flags,
        &[b"\x00\x01t", packet_id, &[properties.len() as u8], properties, payload].concat(),
    )
}
