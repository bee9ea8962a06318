//! Packets that a server sends, read strictly.

use bytes::Bytes;

use super::properties::{self, Place, Property};
use super::wire::Reader;
use super::{Frame, Granted, ProtocolError, Reason, ReasonCode, ServerLimits};
use crate::messages::{Properties, Received};
use crate::problem::quoted;
use crate::qos::Qos;

/// The most user properties of one message: a packet full of empty ones would take many times its size in memory.
pub const MAX_USER_PROPERTIES: usize = 1024;

/// A packet from the server.
#[derive(Clone, Debug)]
pub enum Packet {
    /// CONNACK with success and what the server takes.
    Accepted(ServerLimits),
    /// CONNACK with a failure.
    Refused(Reason),
    /// PUBLISH.
    Publish {
        /// At quality of service 1: by which it is acknowledged.
        packet_id: Option<u16>,
        /// The message.
        message: Received,
    },
    /// A PUBLISH that is not read whole.
    Untakeable {
        /// At quality of service 1: by which it is acknowledged.
        packet_id: Option<u16>,
        /// Where it was published.
        topic: String,
        /// Why it cannot be taken.
        why: String,
    },
    /// PUBACK.
    Puback(u16, Reason),
    /// SUBACK: a code for each filter, and the server's words.
    Suback(u16, Vec<Granted>, Option<String>),
    /// UNSUBACK: a code for each filter.
    Unsuback(u16, Vec<ReasonCode>),
    /// PINGRESP.
    Pingresp,
    /// DISCONNECT.
    Disconnect(Reason),
}

/// Reads a frame that answers a client with this client ID.
///
/// # Errors
/// With the breach, where there is one.
pub fn decode(frame: Frame, client_id: &str) -> Result<Packet, ProtocolError> {
    let (first, body) = match frame {
        Frame::Packet { first, body } => (first, body),
        Frame::Oversize { packet_id, topic, size } => {
            let why = format!("its packet has {size} bytes, and {} are taken", super::MAX_PACKET);
            return Ok(Packet::Untakeable { packet_id, topic, why });
        }
    };
    let mut reader = Reader::new(body);
    match first >> 4 {
        2 => connack(reader, client_id),
        3 => publish(first, reader),
        4 => puback(reader),
        9 => suback(reader),
        11 => unsuback(reader),
        13 => Ok(Packet::Pingresp),
        14 => {
            let code = if reader.is_empty() { 0 } else { reader.u8()? };
            let reason = reason(code, reader, Place::Disconnect)?;
            Ok(Packet::Disconnect(reason))
        }
        // The framer lets nothing else through.
        _ => Err(ProtocolError::forbidden(
            "MQTT 5.0, 2.1.2",
            "a packet that servers do not send",
        )),
    }
}

fn connack(mut reader: Reader, client_id: &str) -> Result<Packet, ProtocolError> {
    let flags = reader.u8()?;
    if flags > 1 {
        return Err(ProtocolError::malformed("MQTT-3.2.2-1", "CONNACK with reserved flags"));
    }
    let code = ReasonCode(reader.u8()?);
    let (properties, _) = properties::read(&mut reader, Place::Connack, 0)?;
    finish(&reader)?;
    if code == ReasonCode::SUCCESS {
        return ServerLimits::read(flags == 1, &properties, client_id).map(Packet::Accepted);
    }
    if flags == 1 {
        return Err(ProtocolError::forbidden(
            "MQTT-3.2.2-6",
            "a refusal with a session present",
        ));
    }
    if !code.is_failure() {
        return Err(ProtocolError::malformed(
            "MQTT-3.2.2-8",
            "CONNACK with a reason code of another packet",
        ));
    }
    let words = words(&properties);
    Ok(Packet::Refused(Reason { code, words }))
}

fn publish(first: u8, mut reader: Reader) -> Result<Packet, ProtocolError> {
    let topic = topic(reader.text()?)?;
    let qos = Qos::from_number((first >> 1) & 3).ok_or(ProtocolError::malformed(
        "MQTT-3.3.1-4",
        "PUBLISH at quality of service 3",
    ))?;
    let packet_id = if qos > Qos::AtMostOnce {
        Some(reader.packet_id("MQTT-2.2.1-4")?)
    } else {
        None
    };
    let (properties, user_properties) = properties::read(&mut reader, Place::Publish, MAX_USER_PROPERTIES)?;
    let mut message = Received {
        topic,
        qos,
        retained: first & 1 == 1,
        ..Received::default()
    };
    for property in properties {
        take(property, &mut message.properties)?;
    }
    if message.topic.is_empty() {
        return Err(ProtocolError::forbidden("MQTT 5.0, 3.3.2.1", "PUBLISH without a topic"));
    }
    if user_properties > MAX_USER_PROPERTIES {
        return Ok(Packet::Untakeable {
            packet_id,
            topic: message.topic,
            why: format!("it has {user_properties} user properties, and {MAX_USER_PROPERTIES} are taken"),
        });
    }
    // Copied, so that a small message does not hold on to the buffer of a large read.
    message.payload = Bytes::copy_from_slice(&reader.rest());
    Ok(Packet::Publish { packet_id, message })
}

fn take(property: Property, to: &mut Properties) -> Result<(), ProtocolError> {
    match property {
        Property::ContentType(value) => to.content_type = Some(value),
        Property::ResponseTopic(value) if value.contains(['+', '#']) => {
            return Err(ProtocolError::malformed(
                "MQTT-3.3.2-14",
                "a response topic with a wildcard",
            ));
        }
        Property::ResponseTopic(value) => to.response_topic = Some(value),
        Property::CorrelationData(value) => to.correlation_data = Some(value.to_vec()),
        Property::PayloadFormatIndicator(value) => to.payload_format_indicator = Some(value),
        Property::MessageExpiryInterval(value) => to.message_expiry = Some(value),
        Property::User(name, value) => to.user_properties.push((name, value)),
        // We announce no Topic Alias Maximum, so there is none.
        Property::TopicAlias(_) => {
            let code = ReasonCode::TOPIC_ALIAS_INVALID;
            return Err(ProtocolError::with_code(
                code,
                "MQTT-3.1.2-27",
                "a topic alias, and none was allowed",
            ));
        }
        _ => {}
    }
    Ok(())
}

fn puback(mut reader: Reader) -> Result<Packet, ProtocolError> {
    let packet_id = reader.packet_id("MQTT-2.2.1-5")?;
    let code = if reader.is_empty() { 0 } else { reader.u8()? };
    Ok(Packet::Puback(packet_id, reason(code, reader, Place::Acknowledgement)?))
}

fn suback(mut reader: Reader) -> Result<Packet, ProtocolError> {
    let packet_id = reader.packet_id("MQTT-2.2.1-6")?;
    let (properties, _) = properties::read(&mut reader, Place::Acknowledgement, 0)?;
    let granted: Result<_, _> = reader.rest().into_iter().map(granted).collect();
    Ok(Packet::Suback(packet_id, granted?, words(&properties)))
}

/// The answer to one filter of a SUBSCRIBE.
fn granted(code: u8) -> Result<Granted, ProtocolError> {
    match (Qos::from_number(code), ReasonCode(code)) {
        (Some(qos), _) => Ok(Ok(qos)),
        (None, code) if code.is_failure() => Ok(Err(code)),
        (None, _) => Err(ProtocolError::malformed(
            "MQTT-3.9.3-2",
            "SUBACK with a reason code of another packet",
        )),
    }
}

fn unsuback(mut reader: Reader) -> Result<Packet, ProtocolError> {
    let packet_id = reader.packet_id("MQTT-2.2.1-6")?;
    properties::read(&mut reader, Place::Acknowledgement, 0)?;
    Ok(Packet::Unsuback(packet_id, codes(reader.rest())))
}

fn codes(bytes: Bytes) -> Vec<ReasonCode> {
    bytes.into_iter().map(ReasonCode).collect()
}

/// A reason code that was read and the properties after it, which may be left out with their length (MQTT 5.0, 3.4.2.2.1).
fn reason(code: u8, mut reader: Reader, place: Place) -> Result<Reason, ProtocolError> {
    let code = ReasonCode(code);
    if reader.is_empty() {
        return Ok(Reason { code, words: None });
    }
    let (properties, _) = properties::read(&mut reader, place, 0)?;
    finish(&reader)?;
    let words = words(&properties);
    Ok(Reason { code, words })
}

fn words(properties: &[Property]) -> Option<String> {
    properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(quoted(text)),
        _ => None,
    })
}

fn finish(reader: &Reader) -> Result<(), ProtocolError> {
    match reader.is_empty() {
        true => Ok(()),
        false => Err(ProtocolError::malformed(
            "MQTT 5.0, 2.1.4",
            "a packet with bytes after its end",
        )),
    }
}

/// Checks a topic name.
pub(super) fn topic(name: String) -> Result<String, ProtocolError> {
    match name.contains(['+', '#']) {
        true => {
            let code = ReasonCode::TOPIC_NAME_INVALID;
            Err(ProtocolError::with_code(
                code,
                "MQTT-3.3.2-2",
                "a topic with a wildcard",
            ))
        }
        false => Ok(name),
    }
}
