//! Decodes packets, strictly.
//!
//! Everything that the specifications forbid within one packet is refused here, with the statement that forbids it.
//! [`Client`](super::Client) and [`Server`](super::Server) check the order of packets.

mod connect;
mod publish;
mod response;
mod subscribe;

pub(super) use connect::announced_version;

use super::framer::Frame;
use super::packet::Packet;
use super::wire::Reader;
use super::{ProtocolError, ProtocolVersion, Sender};

/// Decodes a frame that was sent by this side of a connection of this version. CONNECT contains its version itself.
///
/// # Errors
/// If the frame is a malformed packet.
pub fn decode(frame: Frame, sender: Sender, version: ProtocolVersion) -> Result<Packet, ProtocolError> {
    let (first, body) = match frame {
        Frame::Packet { first, body } => (first, body),
        Frame::Oversize { packet_id, topic, size } => {
            return Ok(Packet::Oversize { packet_id, topic, size });
        }
    };
    let mut reader = Reader::new(body, version);
    match first >> 4 {
        1 => connect::connect(reader).map(|connect| Packet::Connect(Box::new(connect))),
        2 => response::connack(reader).map(Packet::Connack),
        3 => publish::publish(first, reader, sender).map(Packet::Publish),
        4 => response::acknowledgement(reader, sender, "MQTT-3.4.2-1").map(Packet::Puback),
        5 => response::acknowledgement(reader, sender, "MQTT-3.5.2-1").map(Packet::Pubrec),
        6 => response::release(reader, sender, "MQTT-3.6.2-1").map(Packet::Pubrel),
        7 => response::release(reader, sender, "MQTT-3.7.2-1").map(Packet::Pubcomp),
        8 => subscribe::subscribe(reader).map(Packet::Subscribe),
        9 => response::suback(&mut reader).map(Packet::Suback),
        10 => subscribe::unsubscribe(reader).map(Packet::Unsubscribe),
        11 => response::unsuback(&mut reader).map(Packet::Unsuback),
        12 => reader.finish().map(|()| Packet::Pingreq),
        13 => reader.finish().map(|()| Packet::Pingresp),
        14 => response::disconnect(reader, sender).map(Packet::Disconnect),
        15 if version == ProtocolVersion::V5 => response::auth(reader, sender).map(Packet::Auth),
        _ => Err(ProtocolError::malformed(
            version.cite("MQTT 5.0, 2.1.2", "MQTT 3.1.1, 2.2.1"),
            "a packet of a reserved type",
        )),
    }
}
