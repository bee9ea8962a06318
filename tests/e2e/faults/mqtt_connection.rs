//! An MQTT connection of a program in a fault run: what breaks it is an error, never a panic.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::mqtt_listener::packets::{Connect, Packet, V5, frame, text};

/// How long one read waits. A program does other things between two reads.
const READ_TIMEOUT: Duration = Duration::from_millis(500);
/// How often a program reads in vain before it gives an answer up.
const MAX_READS: usize = 20;

/// The place where a server listens.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Socket(PathBuf),
    Port(u16),
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection that the server has accepted.
pub(super) struct MqttConnection {
    stream: Box<dyn Stream>,
    version: u8,
    /// Whether the server had a session.
    pub(super) session_present: bool,
}

impl MqttConnection {
    /// Connects; `kept` asks for a session that outlives the connection.
    pub(super) fn open(address: &Address, version: u8, client_id: &str, kept: bool) -> io::Result<Self> {
        let mut connection = Self {
            stream: address.connect()?,
            version,
            session_present: false,
        };
        let mut connect = Connect::new(client_id);
        (connect.clean, connect.keep_alive) = (!kept, 0);
        if kept && version == V5 {
            connect.properties = [&[0x11], &3600_u32.to_be_bytes()[..]].concat();
        }
        connection.send(0x10, &connect.encode(version))?;
        let connack = connection.answer()?;
        match (connack.first, &connack.body[..]) {
            (0x20, [present, 0, ..]) => connection.session_present = *present == 1,
            _ => return Err(io::Error::other(format!("no success: {connack:?}"))),
        }
        Ok(connection)
    }

    /// Sends a packet.
    pub(super) fn send(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(first, body))
    }

    /// Sends a message at quality of service 1.
    pub(super) fn publish(&mut self, topic: &str, packet_id: u16, payload: &str, is_repeated: bool) -> io::Result<()> {
        let mut body = [text(topic), packet_id.to_be_bytes().to_vec()].concat();
        if self.version == V5 {
            body.push(0);
        }
        body.extend_from_slice(payload.as_bytes());
        self.send(if is_repeated { 0x3a } else { 0x32 }, &body)
    }

    /// Subscribes to a filter at quality of service 1.
    pub(super) fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        let mut body = vec![0, 1];
        if self.version == V5 {
            body.push(0);
        }
        body.extend([text(filter), vec![1]].concat());
        self.send(0x82, &body)
    }

    /// Waits for a packet.
    pub(super) fn answer(&mut self) -> io::Result<Packet> {
        for _ in 0..MAX_READS {
            if let Some(packet) = self.receive()? {
                return Ok(packet);
            }
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// Reads a packet; `None` if none came meanwhile.
    pub(super) fn receive(&mut self) -> io::Result<Option<Packet>> {
        let mut first = [0];
        match self.stream.read(&mut first) {
            Ok(1) => {}
            Ok(_) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
            Err(error) => return Err(error),
        }
        let (mut length, mut shift) = (0, 0);
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
            if byte[0] < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Some(Packet { first: first[0], body }))
    }
}

impl Address {
    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(READ_TIMEOUT))?;
                stream.set_write_timeout(Some(READ_TIMEOUT))?;
                Box::new(stream)
            }
            Self::Port(port) => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
                stream.set_read_timeout(Some(READ_TIMEOUT))?;
                stream.set_write_timeout(Some(READ_TIMEOUT))?;
                Box::new(stream)
            }
        })
    }
}

/// A message at quality of service 1.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) packet_id: u16,
    pub(super) payload: String,
}

/// The message of a PUBLISH at quality of service 1; `None` for every other packet.
pub(super) fn parse_message(packet: &Packet, version: u8) -> Option<Message> {
    if packet.first & 0xf6 != 0x32 {
        return None;
    }
    let (length, rest) = packet.body.split_first_chunk()?;
    let (topic, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let (packet_id, mut rest) = rest.split_first_chunk()?;
    if version == V5 {
        // Nobody sends as many properties here as would need a second byte for their length.
        let (length, after) = rest.split_first()?;
        rest = after.get(usize::from(*length)..)?;
    }
    Some(Message {
        topic: String::from_utf8_lossy(topic).into_owned(),
        packet_id: u16::from_be_bytes(*packet_id),
        payload: String::from_utf8_lossy(rest).into_owned(),
    })
}

/// The packet identifier of a PUBACK, and its reason code; `None` for every other packet.
pub(super) fn parse_puback(packet: &Packet) -> Option<(u16, u8)> {
    let (0x40, Some((packet_id, rest))) = (packet.first, packet.body.split_first_chunk()) else {
        return None;
    };
    Some((u16::from_be_bytes(*packet_id), rest.first().copied().unwrap_or(0)))
}

/// Returns whether this is a SUBACK that accepts the last filter.
pub(super) fn is_accepted_suback(packet: &Packet) -> bool {
    packet.first == 0x90 && packet.body.last().is_some_and(|code| *code < 0x80)
}
