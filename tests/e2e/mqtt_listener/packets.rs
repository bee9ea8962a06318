//! Single packets, encoded and decoded independently of gatepost's own codec, so that a bug in it cannot hide.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use super::socket;
use crate::support::{Gateway, SOON};

pub const V5: u8 = 5;
pub const V3_1_1: u8 = 4;

trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

/// A client that sends and receives single packets.
pub struct Client {
    stream: Box<dyn Connection>,
    version: u8,
}

/// A packet: its first byte, and its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to the Unix socket, without CONNECT.
    pub fn on_socket(gateway: &Gateway, version: u8) -> Self {
        let stream = UnixStream::connect(socket(gateway)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let stream = Box::new(stream);
        Self { stream, version }
    }

    /// Connects to the loopback address, without CONNECT.
    pub fn on_address(address: SocketAddr, version: u8) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let stream = Box::new(stream);
        Self { stream, version }
    }

    /// Connects on the Unix socket, with a clean session.
    pub fn connected(gateway: &Gateway, version: u8, client_id: &str) -> Self {
        let mut client = Self::on_socket(gateway, version);
        let connack = client.connect(&Connect::new(client_id));
        assert_eq!(&connack[..2], [0, 0], "{connack:?}");
        client
    }

    /// Sends CONNECT, and returns the body of CONNACK.
    pub fn connect(&mut self, connect: &Connect) -> Vec<u8> {
        self.send(0x10, &connect.encode(self.version));
        let connack = self.receive().expect("the connection was closed without CONNACK");
        assert_eq!(connack.first, 0x20, "{connack:?}");
        connack.body
    }

    /// Sends a packet.
    pub fn send(&mut self, first: u8, body: &[u8]) {
        self.send_raw(&frame(first, body));
    }

    /// Sends bytes. A closed connection is not an error of the test.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads a packet; `None` at the end of the connection.
    pub fn receive(&mut self) -> Option<Packet> {
        let mut first = [0];
        match self.stream.read(&mut first) {
            Ok(1) => {}
            Ok(_) => return None,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("nothing came: {error}"),
        }
        let (mut length, mut shift) = (0, 0);
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
            if byte[0] < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Some(Packet { first: first[0], body })
    }

    /// Publishes a message, at QoS 1 if there is a packet identifier.
    pub fn publish(&mut self, topic: &str, packet_id: Option<u16>, payload: &[u8]) {
        let mut body = text(topic);
        body.extend(packet_id.iter().flat_map(|id| id.to_be_bytes()));
        if self.version == V5 {
            body.push(0);
        }
        body.extend_from_slice(payload);
        self.send(if packet_id.is_some() { 0x32 } else { 0x30 }, &body);
    }

    /// Sends SUBSCRIBE for filters with their options, and returns the codes of SUBACK.
    pub fn subscribe(&mut self, packet_id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
        let mut body = packet_id.to_be_bytes().to_vec();
        if self.version == V5 {
            body.push(0);
        }
        for (filter, options) in filters {
            body.extend(text(filter));
            body.push(*options);
        }
        self.send(0x82, &body);
        let suback = self.receive().expect("no SUBACK");
        assert_eq!(suback.first, 0x90, "{suback:?}");
        assert_eq!(suback.body[..2], packet_id.to_be_bytes());
        suback.body[suback.body.len() - filters.len()..].to_vec()
    }

    /// Receives PUBACK, and returns its reason code.
    pub fn puback(&mut self, packet_id: u16) -> u8 {
        let puback = self.receive().expect("no PUBACK");
        assert_eq!((puback.first, &puback.body[..2]), (0x40, &packet_id.to_be_bytes()[..]));
        puback.body.get(2).copied().unwrap_or(0)
    }

    /// Returns all bytes up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("it stays open: {error}"),
            _ => bytes,
        }
    }

    /// Waits for the end of the connection, and returns the code of the DISCONNECT before it.
    pub fn end(&mut self) -> Option<u8> {
        let mut code = None;
        while let Some(packet) = self.receive() {
            if packet.first == 0xe0 {
                code = packet.body.first().copied();
            }
        }
        code
    }
}

/// The fields of CONNECT.
pub struct Connect {
    pub client_id: String,
    pub clean: bool,
    pub keep_alive: u16,
    pub password: Option<Vec<u8>>,
    /// Topic, payload, and in MQTT 5 the delay in seconds.
    pub will: Option<(String, Vec<u8>, u32)>,
    /// The properties of MQTT 5, encoded.
    pub properties: Vec<u8>,
}

impl Connect {
    pub fn new(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            clean: true,
            keep_alive: 60,
            password: None,
            will: None,
            properties: Vec::new(),
        }
    }

    /// The rest of CONNECT, behind its length.
    pub fn encode(&self, version: u8) -> Vec<u8> {
        let mut body = text("MQTT");
        let flags = [
            (0x02, self.clean),
            (0x0c, self.will.is_some()),
            (0xc0, self.password.is_some()),
        ];
        let flags = flags.iter().filter(|(_, set)| *set).map(|(bits, _)| bits).sum();
        body.extend([version, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if version == V5 {
            body.push(u8::try_from(self.properties.len()).unwrap());
            body.extend(&self.properties);
        }
        body.extend(text(&self.client_id));
        if let Some((topic, payload, delay)) = &self.will {
            if version == V5 {
                body.extend([5, 0x18]);
                body.extend(delay.to_be_bytes());
            }
            body.extend(text(topic));
            body.extend(data(payload));
        }
        if let Some(password) = &self.password {
            body.extend(text("any"));
            body.extend(data(password));
        }
        body
    }
}

pub fn text(text: &str) -> Vec<u8> {
    data(text.as_bytes())
}

fn data(data: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(data.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes
}

/// Returns a whole packet.
pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![first], body.len());
    loop {
        let byte = u8::try_from(length % 0x80).unwrap();
        length /= 0x80;
        bytes.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}
