//! Cuts the bytes of a connection into packets, and bounds what one packet may take.

use bytes::{Buf, Bytes, BytesMut};

use super::wire::{self, Reader};
use super::{MAX_PACKET, ProtocolError, ReasonCode, decode};

/// A PUBLISH that is larger than we take is read and thrown away up to this size: it costs its sender's bandwidth, not our
/// memory. The specification lets us end the connection instead (MQTT 5.0, 3.1.2.11.4), but the server would send the same
/// message again on the next one, for ever.
const MAX_SKIPPED: usize = 1024 * 1024;

/// A unit that was cut off the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole packet of a type that servers send, with flags that the type may have.
    Packet {
        /// Type and flags.
        first: u8,
        /// All behind the remaining length.
        body: Bytes,
    },
    /// A PUBLISH larger than [`MAX_PACKET`], of which all but this was thrown away.
    Oversize {
        /// At quality of service 1: its packet identifier.
        packet_id: Option<u16>,
        /// Where it was published.
        topic: String,
        /// The bytes of the packet.
        size: usize,
    },
}

/// Cuts packets off a stream. A framer belongs to one connection.
#[derive(Debug, Default)]
pub struct Framer {
    /// The packet that is being thrown away, and how much of it is still to come.
    skipping: Option<(Frame, usize)>,
}

impl Framer {
    /// Cuts the next packet off `input`; `None` where more bytes are needed.
    ///
    /// # Errors
    /// As soon as the bytes can be no packet that a server may send.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, ProtocolError> {
        if self.skipping.is_some() {
            return Ok(self.skip(input));
        }
        let Some(first) = input.first().copied() else {
            return Ok(None);
        };
        check_first(first)?;
        let Some((remaining, length)) = wire::variable(input.get(1..).unwrap_or_default())? else {
            return Ok(None);
        };
        let (remaining, head) = (usize::try_from(remaining).unwrap_or(usize::MAX), 1 + length);
        check_remaining(first, remaining)?;
        let size = head.saturating_add(remaining);
        if size > usize::try_from(MAX_PACKET).unwrap_or(usize::MAX) {
            if first >> 4 != 3 || size > MAX_SKIPPED {
                let code = ReasonCode::PACKET_TOO_LARGE;
                return Err(ProtocolError::with_code(
                    code,
                    "MQTT-3.1.2-24",
                    "a packet that is larger than it was told to send",
                ));
            }
            return self.begin_to_skip(first, head, remaining, input);
        }
        if input.len() < size {
            return Ok(None);
        }
        input.advance(head);
        let body = input.split_to(remaining).freeze();
        Ok(Some(Frame::Packet { first, body }))
    }

    /// Waits for topic and packet identifier, and throws away what comes after them.
    fn begin_to_skip(
        &mut self,
        first: u8,
        head: usize,
        remaining: usize,
        input: &mut BytesMut,
    ) -> Result<Option<Frame>, ProtocolError> {
        let has_id = (first >> 1) & 3 > 0;
        let start = input.get(head..).unwrap_or_default();
        let [high, low, ..] = start else { return Ok(None) };
        let needed = 2 + usize::from(u16::from_be_bytes([*high, *low])) + if has_id { 2 } else { 0 };
        // A packet of this size has room for the longest topic.
        let Some(start) = start.get(..needed) else {
            return Ok(None);
        };
        let mut reader = Reader::new(Bytes::copy_from_slice(start));
        let topic = decode::topic(reader.text()?)?;
        let packet_id = if has_id {
            Some(reader.packet_id("MQTT-2.2.1-4")?)
        } else {
            None
        };
        input.advance(head);
        let size = head + remaining;
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

/// Type and flags: a type that a server may send to a client that asks for no authentication (MQTT 5.0, 2.1.2 and 2.1.3).
fn check_first(first: u8) -> Result<(), ProtocolError> {
    let flags = first & 0x0f;
    match first >> 4 {
        3 => check_publish_flags(flags),
        2 | 4 | 9 | 11 | 13 | 14 if flags != 0 => {
            Err(ProtocolError::malformed("MQTT-2.1.3-1", "a packet with reserved flags"))
        }
        2 | 4 | 9 | 11 | 13 | 14 => Ok(()),
        5..=7 => Err(ProtocolError::forbidden(
            "MQTT 5.0, 4.3.3",
            "an answer at quality of service 2, at which nothing was sent",
        )),
        15 => Err(ProtocolError::forbidden("MQTT-4.12.0-6", "AUTH that nobody asked for")),
        0 => Err(ProtocolError::malformed("MQTT 5.0, 2.1.2", "a packet of type 0")),
        _ => Err(ProtocolError::forbidden(
            "MQTT 5.0, 2.1.2",
            "a packet that only clients send",
        )),
    }
}

fn check_publish_flags(flags: u8) -> Result<(), ProtocolError> {
    match (flags >> 1) & 3 {
        0 if flags & 8 != 0 => Err(ProtocolError::malformed(
            "MQTT-3.3.1-2",
            "a repeated message at quality of service 0",
        )),
        2 => Err(ProtocolError::forbidden(
            "MQTT-3.8.4-8",
            "a message at quality of service 2, for which nothing is subscribed",
        )),
        3 => Err(ProtocolError::malformed(
            "MQTT-3.3.1-4",
            "PUBLISH at quality of service 3",
        )),
        _ => Ok(()),
    }
}

/// The least and, where there is one, the greatest remaining length of a type.
fn check_remaining(first: u8, remaining: usize) -> Result<(), ProtocolError> {
    let (least, most) = match first >> 4 {
        2 => (3, usize::MAX),
        3 if (first >> 1) & 3 == 0 => (3, usize::MAX),
        3 => (5, usize::MAX),
        4 => (2, usize::MAX),
        9 | 11 => (4, usize::MAX),
        13 => (0, 0),
        _ => (0, usize::MAX),
    };
    match (least..=most).contains(&remaining) {
        true => Ok(()),
        false => Err(ProtocolError::malformed(
            "MQTT 5.0, 2.1.4",
            "a packet of a length that its type cannot have",
        )),
    }
}
