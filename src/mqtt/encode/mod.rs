//! Encodes packets.

mod connect;
mod publish;
#[cfg(test)]
mod tests;

pub use publish::{Header, publish};

use bytes::{BufMut, BytesMut};

use super::packet::{Acknowledgement, Packet, RetainHandling, Suback, Subscribe, SubscriptionOptions, Unsubscribe};
use super::properties::{self, Property};
pub use super::wire::EncodeError;
use super::wire::{MAX_REMAINING, put_binary, put_variable};
use super::{ProtocolVersion, ReasonCode};

/// Encodes a packet of any type. On failure nothing is written.
///
/// # Errors
/// If a field is too long, or the packet does not exist in the version.
pub fn encode(to: &mut BytesMut, packet: &Packet, version: ProtocolVersion) -> Result<(), EncodeError> {
    let mut body = BytesMut::new();
    let first = match packet {
        Packet::Publish(message) => {
            let header = Header::of(message);
            return publish(
                to,
                version,
                &header,
                &message.topic,
                &message.properties,
                &message.payload,
            );
        }
        Packet::Connect(connect) => connect::connect(&mut body, connect).map(|()| 0x10)?,
        Packet::Connack(connack) => connect::connack(&mut body, connack, version).map(|()| 0x20)?,
        Packet::Puback(one) => acknowledgement(&mut body, one, version).map(|()| 0x40)?,
        Packet::Pubrec(one) => acknowledgement(&mut body, one, version).map(|()| 0x50)?,
        Packet::Pubrel(one) => acknowledgement(&mut body, one, version).map(|()| 0x62)?,
        Packet::Pubcomp(one) => acknowledgement(&mut body, one, version).map(|()| 0x70)?,
        Packet::Subscribe(one) => subscribe(&mut body, one, version).map(|()| 0x82)?,
        Packet::Suback(one) => suback(&mut body, one, version).map(|()| 0x90)?,
        Packet::Unsubscribe(one) => unsubscribe(&mut body, one, version).map(|()| 0xa2)?,
        Packet::Unsuback(one) => unsuback(&mut body, one, version).map(|()| 0xb0)?,
        Packet::Pingreq => 0xc0,
        Packet::Pingresp => 0xd0,
        Packet::Disconnect(one) => reason(&mut body, one.code, &one.properties, version).map(|()| 0xe0)?,
        Packet::Auth(one) if version == ProtocolVersion::V5 => {
            reason(&mut body, one.code, &one.properties, version).map(|()| 0xf0)?
        }
        // A packet that was too large to be decoded cannot be encoded either.
        Packet::Auth(_) | Packet::Oversize { .. } => return Err(EncodeError::NotInVersion),
    };
    frame(to, first, &body)
}

fn frame(to: &mut BytesMut, first: u8, body: &[u8]) -> Result<(), EncodeError> {
    if body.len() > MAX_REMAINING {
        return Err(EncodeError::TooLong);
    }
    to.put_u8(first);
    put_variable(to, body.len());
    to.extend_from_slice(body);
    Ok(())
}

fn acknowledgement(to: &mut BytesMut, one: &Acknowledgement, version: ProtocolVersion) -> Result<(), EncodeError> {
    to.put_u16(one.packet_id);
    reason(to, one.code, &one.properties, version)
}

/// Writes a reason code and properties. Both are left out if they are not needed (MQTT 5.0, 3.4.2.1).
fn reason(to: &mut BytesMut, code: ReasonCode, all: &[Property], version: ProtocolVersion) -> Result<(), EncodeError> {
    match version {
        ProtocolVersion::V3_1_1 => return Ok(()),
        ProtocolVersion::V5 if all.is_empty() && code == ReasonCode::SUCCESS => return Ok(()),
        ProtocolVersion::V5 => to.put_u8(code.0),
    }
    if !all.is_empty() {
        properties::write(to, all, version)?;
    }
    Ok(())
}

fn subscribe(to: &mut BytesMut, request: &Subscribe, version: ProtocolVersion) -> Result<(), EncodeError> {
    to.put_u16(request.packet_id);
    properties::write(to, &request.properties, version)?;
    for subscription in &request.subscriptions {
        put_binary(to, subscription.filter.as_bytes())?;
        to.put_u8(options(subscription.options, version));
    }
    Ok(())
}

fn options(options: SubscriptionOptions, version: ProtocolVersion) -> u8 {
    if version == ProtocolVersion::V3_1_1 {
        return options.qos.number();
    }
    let retain_handling = match options.retain_handling {
        RetainHandling::Send => 0,
        RetainHandling::SendIfNew => 1,
        RetainHandling::DoNotSend => 2,
    };
    options.qos.number()
        | (u8::from(options.no_local) << 2)
        | (u8::from(options.retain_as_published) << 3)
        | (retain_handling << 4)
}

fn unsubscribe(to: &mut BytesMut, request: &Unsubscribe, version: ProtocolVersion) -> Result<(), EncodeError> {
    to.put_u16(request.packet_id);
    properties::write(to, &request.properties, version)?;
    for filter in &request.filters {
        put_binary(to, filter.as_bytes())?;
    }
    Ok(())
}

fn suback(to: &mut BytesMut, answer: &Suback, version: ProtocolVersion) -> Result<(), EncodeError> {
    to.put_u16(answer.packet_id);
    properties::write(to, &answer.properties, version)?;
    for code in &answer.codes {
        to.put_u8(match version {
            // MQTT 3.1.1 has one code for every failure (MQTT-3.9.3-2).
            ProtocolVersion::V3_1_1 if code.is_failure() => 0x80,
            _ => code.0,
        });
    }
    Ok(())
}

fn unsuback(to: &mut BytesMut, answer: &Suback, version: ProtocolVersion) -> Result<(), EncodeError> {
    match version {
        ProtocolVersion::V5 => suback(to, answer, version),
        ProtocolVersion::V3_1_1 => {
            to.put_u16(answer.packet_id);
            Ok(())
        }
    }
}
