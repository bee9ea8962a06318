//! All packets.

use bytes::{BufMut, Bytes, BytesMut};

use super::wire::Put;
use super::{
    Acknowledgement, Connack, Connect, Disconnect, Frame, Malformed, Protocol, Publish, Suback, Subscribe, Unsubscribe,
};

/// A packet. AUTH is missing, because AWS IoT does not support it (developer guide, mqtt).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    Connect(Connect),
    Connack(Connack),
    Publish(Publish),
    Puback(Acknowledgement),
    Pubrec(Acknowledgement),
    Pubrel(Acknowledgement),
    Pubcomp(Acknowledgement),
    Subscribe(Subscribe),
    Suback(Suback),
    Unsubscribe(Unsubscribe),
    Unsuback(Suback),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect),
}

impl Packet {
    /// Decodes a frame. `protocol` is the connection's version; CONNECT contains its own.
    pub(crate) fn decode(frame: Frame, protocol: Protocol) -> Result<Self, Malformed> {
        let (kind, flags) = (frame.first >> 4, frame.first & 0x0F);
        // 2.1.3: the flags of all other packets are fixed.
        let expected = if matches!(kind, 6 | 8 | 10) { 0x02 } else { 0x00 };
        if kind != 3 && flags != expected {
            return Err(Malformed("fixed header flags"));
        }
        let body = frame.body;
        Ok(match kind {
            1 => Self::Connect(Connect::read(body)?),
            2 => Self::Connack(Connack::read(body, protocol)?),
            3 => Self::Publish(Publish::read(flags, body, protocol)?),
            4 => Self::Puback(Acknowledgement::read(body, protocol)?),
            5 => Self::Pubrec(Acknowledgement::read(body, protocol)?),
            6 => Self::Pubrel(Acknowledgement::read(body, protocol)?),
            7 => Self::Pubcomp(Acknowledgement::read(body, protocol)?),
            8 => Self::Subscribe(Subscribe::read(body, protocol)?),
            9 => Self::Suback(Suback::read(body, protocol)?),
            10 => Self::Unsubscribe(Unsubscribe::read(body, protocol)?),
            11 => Self::Unsuback(Suback::read(body, protocol)?),
            12 | 13 if !body.is_empty() => return Err(Malformed("a ping with a body")),
            12 => Self::Pingreq,
            13 => Self::Pingresp,
            14 => Self::Disconnect(Disconnect::read(body, protocol)?),
            _ => return Err(Malformed("packet type")),
        })
    }

    pub(crate) fn encode(&self, protocol: Protocol) -> Bytes {
        let mut body = BytesMut::new();
        let first = match self {
            Self::Connect(packet) => {
                packet.write(&mut body);
                0x10
            }
            Self::Connack(packet) => {
                packet.write(&mut body, protocol);
                0x20
            }
            Self::Publish(packet) => {
                packet.write(&mut body, protocol);
                0x30 | packet.flags()
            }
            Self::Puback(packet) => write_acknowledgement(0x40, packet, &mut body, protocol),
            Self::Pubrec(packet) => write_acknowledgement(0x50, packet, &mut body, protocol),
            Self::Pubrel(packet) => write_acknowledgement(0x62, packet, &mut body, protocol),
            Self::Pubcomp(packet) => write_acknowledgement(0x70, packet, &mut body, protocol),
            Self::Subscribe(packet) => {
                packet.write(&mut body, protocol);
                0x82
            }
            Self::Suback(packet) => {
                packet.write(&mut body, protocol);
                0x90
            }
            Self::Unsubscribe(packet) => {
                packet.write(&mut body, protocol);
                0xA2
            }
            Self::Unsuback(packet) => {
                packet.write(&mut body, protocol);
                0xB0
            }
            Self::Pingreq => 0xC0,
            Self::Pingresp => 0xD0,
            Self::Disconnect(packet) => {
                packet.write(&mut body, protocol);
                0xE0
            }
        };
        let mut out = BytesMut::with_capacity(body.len() + 5);
        out.put_u8(first);
        out.put_varint(u32::try_from(body.len()).unwrap_or(u32::MAX));
        out.put_slice(&body);
        out.freeze()
    }
}

fn write_acknowledgement(first: u8, packet: &Acknowledgement, body: &mut BytesMut, protocol: Protocol) -> u8 {
    packet.write(body, protocol);
    first
}
