//! Splits the bytes of a connection into packets, and limits the size of a packet.

use bytes::{Buf, Bytes, BytesMut};

use super::wire::{self, Reader};
use super::{MAX_PACKET, ProtocolError, ProtocolVersion, ReasonCode, Sender, names};

/// Maximum size of a PUBLISH that is skipped because it is larger than a client accepts: it costs its sender's bandwidth, not our memory.
/// The specification lets a client end the connection instead (MQTT 5.0, 3.1.2.11.4), but the server would send the same message again on
/// each new one. A server ends the connection, because the client still has the message and can correct it.
const MAX_SKIPPED: usize = 1024 * 1024;

/// A unit of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A complete packet of a type that its sender may send, with permitted flags.
    Packet {
        /// The type and the flags.
        first: u8,
        /// Everything after the remaining length.
        body: Bytes,
    },
    /// A PUBLISH that is larger than [`MAX_PACKET`], of which only this was kept.
    Oversize {
        /// The packet identifier at QoS 1.
        packet_id: Option<u16>,
        /// The topic.
        topic: String,
        /// The size of the packet.
        size: usize,
    },
}

impl Frame {
    /// Returns the number of bytes after the remaining length.
    pub fn size(&self) -> usize {
        match self {
            Self::Packet { body, .. } => body.len(),
            Self::Oversize { size, .. } => *size,
        }
    }
}

/// Splits a stream into packets. A framer belongs to one direction of one connection.
#[derive(Debug)]
pub struct Framer {
    sender: Sender,
    version: ProtocolVersion,
    /// The packet that is being skipped, and the number of bytes that are still to come.
    skipping: Option<(Frame, usize)>,
}

impl Framer {
    /// Creates a framer for the packets that this side of a connection sends.
    pub fn new(sender: Sender) -> Self {
        Self {
            sender,
            version: ProtocolVersion::V5,
            skipping: None,
        }
    }

    /// Changes the version, which a server learns from CONNECT.
    pub fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    /// Splits a stream that arrives in these pieces into packets, up to the first protocol error. For tests and fuzz targets.
    pub fn cut_all<'a>(mut self, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<ProtocolError>) {
        let (mut input, mut frames) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                match self.next(&mut input) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        (frames, None)
    }

    /// Takes the next packet from `input`; `None` if more bytes are needed.
    ///
    /// # Errors
    /// As soon as the bytes cannot be a packet that the sender may send.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, ProtocolError> {
        if self.skipping.is_some() {
            return Ok(self.skip(input));
        }
        let Some(first) = input.first().copied() else {
            return Ok(None);
        };
        check_flags(first, self.version)?;
        check_sender(first, self.sender, self.version)?;
        // The version in CONNECT comes after its length, which is therefore read by the rules of both versions.
        let version = match first >> 4 {
            1 => ProtocolVersion::V3_1_1,
            _ => self.version,
        };
        let Some((remaining, length)) = wire::variable(input.get(1..).unwrap_or_default(), version)? else {
            return Ok(None);
        };
        let (remaining, head) = (usize::try_from(remaining).unwrap_or(usize::MAX), 1 + length);
        check_remaining(first, remaining, self.version)?;
        let size = head.saturating_add(remaining);
        if size > usize::try_from(MAX_PACKET).unwrap_or(usize::MAX) {
            return self.oversize(first, head, remaining, input);
        }
        if input.len() < size {
            return Ok(None);
        }
        input.advance(head);
        let body = input.split_to(remaining).freeze();
        Ok(Some(Frame::Packet { first, body }))
    }

    /// Waits for topic and packet identifier of a large message, and skips what comes after them.
    fn oversize(
        &mut self,
        first: u8,
        head: usize,
        remaining: usize,
        input: &mut BytesMut,
    ) -> Result<Option<Frame>, ProtocolError> {
        let size = head.saturating_add(remaining);
        let (statement, what) = match self.sender {
            Sender::Server => ("MQTT-3.1.2-24", "a packet that is larger than gatepost permits"),
            Sender::Client => (
                self.version.cite("MQTT-3.2.2-15", "MQTT 3.1.1, 4.8"),
                "a packet that is larger than the server accepts",
            ),
        };
        if self.sender == Sender::Client || first >> 4 != 3 || size > MAX_SKIPPED {
            let code = ReasonCode::PACKET_TOO_LARGE;
            return Err(ProtocolError::with_code(code, statement, what));
        }
        let has_id = (first >> 1) & 3 > 0;
        let start = input.get(head..).unwrap_or_default();
        let [high, low, ..] = start else { return Ok(None) };
        let needed = 2 + usize::from(u16::from_be_bytes([*high, *low])) + if has_id { 2 } else { 0 };
        // A packet of this size has room for the longest topic.
        let Some(start) = start.get(..needed) else {
            return Ok(None);
        };
        let mut reader = Reader::new(Bytes::copy_from_slice(start), self.version);
        let topic = reader.text()?;
        names::check_no_wildcard(&topic)?;
        let packet_id = if has_id {
            Some(reader.packet_id("MQTT-2.2.1-4")?)
        } else {
            None
        };
        input.advance(head);
        self.skipping = Some((Frame::Oversize { packet_id, topic, size }, remaining));
        Ok(self.skip(input))
    }

    fn skip(&mut self, input: &mut BytesMut) -> Option<Frame> {
        let (frame, left) = self.skipping.take()?;
        let here = left.min(input.len());
        input.advance(here);
        if here == left {
            return Some(frame);
        }
        self.skipping = Some((frame, left - here));
        None
    }
}

/// Checks the flags of a packet type (MQTT 5.0, 2.1.3).
fn check_flags(first: u8, version: ProtocolVersion) -> Result<(), ProtocolError> {
    let flags = first & 0x0f;
    let statement = match (first >> 4, flags) {
        (3, _) => return check_publish_flags(flags),
        (0, _) => {
            let statement = version.cite("MQTT 5.0, 2.1.2", "MQTT 3.1.1, 2.2.1");
            return Err(ProtocolError::malformed(statement, "a packet of type 0"));
        }
        (6 | 8 | 10, 2) | (1 | 2 | 4 | 5 | 7 | 9 | 11..=15, 0) => return Ok(()),
        (6, _) => "MQTT-3.6.1-1",
        (8, _) => "MQTT-3.8.1-1",
        (10, _) => "MQTT-3.10.1-1",
        (15, _) if version == ProtocolVersion::V5 => "MQTT-3.15.1-1",
        (14, _) if version == ProtocolVersion::V3_1_1 => "MQTT-3.14.1-1",
        _ => version.cite("MQTT-2.1.3-1", "MQTT-2.2.2-2"),
    };
    Err(ProtocolError::malformed(statement, "a packet with reserved flags"))
}

fn check_publish_flags(flags: u8) -> Result<(), ProtocolError> {
    match ((flags >> 1) & 3, flags & 8 != 0) {
        (0, true) => Err(ProtocolError::malformed(
            "MQTT-3.3.1-2",
            "a repeated message at quality of service 0",
        )),
        (3, _) => Err(ProtocolError::malformed(
            "MQTT-3.3.1-4",
            "PUBLISH at quality of service 3",
        )),
        _ => Ok(()),
    }
}

/// Checks that a side may send this type, given that QoS 2 and enhanced authentication are never used (MQTT 5.0, 2.1.2).
fn check_sender(first: u8, sender: Sender, version: ProtocolVersion) -> Result<(), ProtocolError> {
    let types = version.cite("MQTT 5.0, 2.1.2", "MQTT 3.1.1, 2.2.1");
    match (first >> 4, sender) {
        (3, Sender::Server) if (first >> 1) & 3 == 2 => Err(ProtocolError::forbidden(
            "MQTT-3.8.4-8",
            "a message at quality of service 2, for which nothing is subscribed",
        )),
        // AWS IoT does not support QoS 2: CONNACK says so in MQTT 5, and MQTT 3.1.1 has no code for it.
        (3, Sender::Client) if (first >> 1) & 3 == 2 => Err(ProtocolError::with_code(
            ReasonCode::QOS_NOT_SUPPORTED,
            version.cite("MQTT-3.2.2-11", "MQTT 3.1.1, 4.3"),
            "a message at quality of service 2, which AWS IoT does not have",
        )),
        (3 | 4 | 14, _) | (2 | 9 | 11 | 13, Sender::Server) | (1 | 8 | 10 | 12, Sender::Client) => Ok(()),
        (5..=7, _) => Err(ProtocolError::forbidden(
            version.cite("MQTT 5.0, 4.3.3", "MQTT 3.1.1, 4.3.3"),
            "an answer at quality of service 2, at which nothing was sent",
        )),
        (15, Sender::Client) if version == ProtocolVersion::V3_1_1 => {
            Err(ProtocolError::malformed(types, "a packet of a reserved type"))
        }
        (15, Sender::Client) => Err(ProtocolError::forbidden("MQTT-4.12.0-7", "AUTH that nobody asked for")),
        (15, Sender::Server) => Err(ProtocolError::forbidden("MQTT-4.12.0-6", "AUTH that nobody asked for")),
        (_, Sender::Server) => Err(ProtocolError::forbidden(types, "a packet that only clients send")),
        (_, Sender::Client) => Err(ProtocolError::forbidden(types, "a packet that only servers send")),
    }
}

/// Checks the remaining length against the minimum and, if there is one, the maximum of the type.
fn check_remaining(first: u8, remaining: usize, version: ProtocolVersion) -> Result<(), ProtocolError> {
    let (least, most) = match (first >> 4, version) {
        (2, ProtocolVersion::V5) => (3, usize::MAX),
        (2, ProtocolVersion::V3_1_1) => (2, 2),
        (3, ProtocolVersion::V5) if (first >> 1) & 3 == 0 => (3, usize::MAX),
        (3, ProtocolVersion::V5) => (5, usize::MAX),
        (3, ProtocolVersion::V3_1_1) => (2, usize::MAX),
        (4, ProtocolVersion::V3_1_1) | (11, ProtocolVersion::V3_1_1) => (2, 2),
        (4, ProtocolVersion::V5) => (2, usize::MAX),
        (9, ProtocolVersion::V3_1_1) => (3, usize::MAX),
        (9 | 11, ProtocolVersion::V5) => (4, usize::MAX),
        (8 | 10, ProtocolVersion::V3_1_1) => (2, usize::MAX),
        (8 | 10, ProtocolVersion::V5) => (3, usize::MAX),
        (12 | 13, _) | (14, ProtocolVersion::V3_1_1) => (0, 0),
        _ => (0, usize::MAX),
    };
    match (least..=most).contains(&remaining) {
        true => Ok(()),
        false => Err(ProtocolError::malformed(
            version.cite("MQTT 5.0, 2.1.4", "MQTT 3.1.1, 2.2.3"),
            "a packet of a length that its type cannot have",
        )),
    }
}
