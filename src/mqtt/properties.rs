//! Properties (MQTT 5.0, 2.2.2): where each is permitted, how often, and with which values.

use bytes::{BufMut, Bytes, BytesMut};

use super::wire::{EncodeError, MAX_REMAINING, Reader, put_binary, put_variable};
use super::{MAX_USER_PROPERTIES, Password, ProtocolError, ProtocolVersion, ReasonCode, Sender};
use crate::problem::quoted;
use crate::qos::Qos;

/// The part of a packet that has properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Connect,
    Will,
    Connack,
    Publish,
    Subscribe,
    Unsubscribe,
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK, which have the same properties.
    Acknowledgement,
    Disconnect,
    Auth,
}

/// A property of any packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each has the name that the specification gives it (MQTT 5.0, table 2-4)"
)]
pub enum Property {
    PayloadFormatIndicator(u8),
    MessageExpiryInterval(u32),
    ContentType(String),
    ResponseTopic(String),
    CorrelationData(Bytes),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(String),
    ServerKeepAlive(u16),
    AuthenticationMethod(String),
    AuthenticationData(Password),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(String),
    ServerReference(String),
    ReasonString(String),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQos(Qos),
    RetainAvailable(bool),
    User(String, String),
    MaximumPacketSize(u32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
const USER: u8 = 0x26;

/// Reads the property length and the properties; MQTT 3.1.1 has none. Properties that are repeated more than [`MAX_USER_PROPERTIES`] times
/// are skipped; their number is returned.
pub(super) fn read(
    reader: &mut Reader,
    section: Section,
    sender: Sender,
) -> Result<(Vec<Property>, usize), ProtocolError> {
    let version = reader.version();
    if version == ProtocolVersion::V3_1_1 {
        return Ok((Vec::new(), 0));
    }
    let length = usize::try_from(reader.variable()?).unwrap_or(usize::MAX);
    let mut reader = Reader::new(reader.split(length)?, version);
    let (mut all, mut seen, mut repeated, mut left_out) = (Vec::new(), [0_u8; 6], 0_usize, 0_usize);
    while !reader.is_empty() {
        // Formally this is a variable byte integer; all defined identifiers have one byte.
        let identifier = u8::try_from(reader.variable()?).unwrap_or(u8::MAX);
        check_section(identifier, section, sender)?;
        let may_repeat = identifier == USER || (identifier == SUBSCRIPTION_IDENTIFIER && section == Section::Publish);
        let (slot, bit) = (usize::from(identifier / 8), 1 << (identifier % 8));
        if let Some(bits) = seen.get_mut(slot) {
            if *bits & bit != 0 && !may_repeat {
                return Err(ProtocolError::forbidden("MQTT 5.0, 2.2.2.2", "a property twice"));
            }
            *bits |= bit;
        }
        let property = value(identifier, &mut reader)?;
        repeated += usize::from(may_repeat);
        match may_repeat && repeated > MAX_USER_PROPERTIES {
            true => left_out += 1,
            false => all.push(property),
        }
    }
    Ok((all, left_out))
}

/// Returns the other side's reason string, made safe for a log line.
pub(super) fn reason_string(properties: &[Property]) -> Option<String> {
    properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(quoted(text)),
        _ => None,
    })
}

/// Writes the property length and the properties; nothing in MQTT 3.1.1.
pub(super) fn write(to: &mut BytesMut, properties: &[Property], version: ProtocolVersion) -> Result<(), EncodeError> {
    if version == ProtocolVersion::V3_1_1 {
        return Ok(());
    }
    let mut all = BytesMut::new();
    for property in properties {
        put(&mut all, property)?;
    }
    put_variable(to, all.len());
    to.unsplit(all);
    Ok(())
}

/// Checks that the property is permitted in this part of a packet, and from this sender (MQTT 5.0, table 2-4).
fn check_section(identifier: u8, section: Section, sender: Sender) -> Result<(), ProtocolError> {
    use Section::{Acknowledgement, Auth, Connack, Connect, Disconnect, Publish, Subscribe, Unsubscribe, Will};
    let sections: &[Section] = match identifier {
        0x01 | 0x02 | 0x03 | 0x08 | 0x09 => &[Publish, Will],
        SUBSCRIPTION_IDENTIFIER if sender == Sender::Client && section == Publish => {
            return Err(ProtocolError::forbidden(
                "MQTT-3.3.4-6",
                "a message with a subscription identifier",
            ));
        }
        SUBSCRIPTION_IDENTIFIER => &[Publish, Subscribe],
        // A server must not send it in DISCONNECT (MQTT-3.14.2-2).
        0x11 if sender == Sender::Server => &[Connack],
        0x11 => &[Connect, Disconnect],
        0x12 | 0x13 | 0x1a | 0x24 | 0x25 | 0x28..=0x2a => &[Connack],
        0x15 | 0x16 => &[Connect, Connack, Auth],
        0x17 | 0x19 => &[Connect],
        0x18 => &[Will],
        0x1c if sender == Sender::Server => &[Connack, Disconnect],
        0x1f => &[Connack, Acknowledgement, Disconnect, Auth],
        0x21 | 0x22 | 0x27 => &[Connect, Connack],
        0x23 => &[Publish],
        USER => &[
            Connect,
            Will,
            Connack,
            Publish,
            Subscribe,
            Unsubscribe,
            Acknowledgement,
            Disconnect,
            Auth,
        ],
        _ => &[],
    };
    match sections.contains(&section) {
        true => Ok(()),
        false => Err(ProtocolError::malformed(
            "MQTT 5.0, 2.2.2.2",
            "a property that its packet must not have",
        )),
    }
}

fn value(identifier: u8, reader: &mut Reader) -> Result<Property, ProtocolError> {
    Ok(match identifier {
        0x01 => Property::PayloadFormatIndicator(u8::from(flag(reader)?)),
        0x02 => Property::MessageExpiryInterval(reader.u32()?),
        0x03 => Property::ContentType(reader.text()?),
        0x08 => Property::ResponseTopic(reader.text()?),
        0x09 => Property::CorrelationData(reader.binary()?),
        SUBSCRIPTION_IDENTIFIER => Property::SubscriptionIdentifier(not_zero(reader.variable()?)?),
        0x11 => Property::SessionExpiryInterval(reader.u32()?),
        0x12 => Property::AssignedClientIdentifier(reader.text()?),
        0x13 => Property::ServerKeepAlive(reader.u16()?),
        0x15 => Property::AuthenticationMethod(reader.text()?),
        0x16 => Property::AuthenticationData(Password::new(reader.binary()?.to_vec())),
        0x17 => Property::RequestProblemInformation(flag(reader)?),
        0x18 => Property::WillDelayInterval(reader.u32()?),
        0x19 => Property::RequestResponseInformation(flag(reader)?),
        0x1a => Property::ResponseInformation(reader.text()?),
        0x1c => Property::ServerReference(reader.text()?),
        0x1f => Property::ReasonString(reader.text()?),
        0x21 => Property::ReceiveMaximum(not_zero(reader.u16()?)?),
        0x22 => Property::TopicAliasMaximum(reader.u16()?),
        0x23 => match reader.u16()? {
            0 => {
                let code = ReasonCode::TOPIC_ALIAS_INVALID;
                return Err(ProtocolError::with_code(code, "MQTT-3.3.2-8", "topic alias 0"));
            }
            alias => Property::TopicAlias(alias),
        },
        0x24 => Property::MaximumQos(match flag(reader)? {
            true => Qos::AtLeastOnce,
            false => Qos::AtMostOnce,
        }),
        0x25 => Property::RetainAvailable(flag(reader)?),
        USER => Property::User(reader.text()?, reader.text()?),
        0x27 => Property::MaximumPacketSize(not_zero(reader.u32()?)?),
        0x28 => Property::WildcardSubscriptionAvailable(flag(reader)?),
        0x29 => Property::SubscriptionIdentifierAvailable(flag(reader)?),
        0x2a => Property::SharedSubscriptionAvailable(flag(reader)?),
        _ => return Err(ProtocolError::malformed("MQTT 5.0, 2.2.2.2", "an unknown property")),
    })
}

fn flag(reader: &mut Reader) -> Result<bool, ProtocolError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(ProtocolError::forbidden(
            "MQTT 5.0, 2.2.2",
            "a property that is neither 0 nor 1",
        )),
    }
}

fn not_zero<T: Default + PartialEq>(value: T) -> Result<T, ProtocolError> {
    match value == T::default() {
        true => Err(ProtocolError::forbidden(
            "MQTT 5.0, 2.2.2",
            "a property that must not be 0",
        )),
        false => Ok(value),
    }
}

fn put(to: &mut BytesMut, property: &Property) -> Result<(), EncodeError> {
    match property {
        Property::PayloadFormatIndicator(value) => to.put_slice(&[0x01, u8::from(*value != 0)]),
        Property::MessageExpiryInterval(value) => put_u32(to, 0x02, *value),
        Property::ContentType(value) => return put_data(to, 0x03, value.as_bytes()),
        Property::ResponseTopic(value) => return put_data(to, 0x08, value.as_bytes()),
        Property::CorrelationData(value) => return put_data(to, 0x09, value),
        Property::SubscriptionIdentifier(value) => {
            to.put_u8(SUBSCRIPTION_IDENTIFIER);
            put_variable(to, usize::try_from(*value).unwrap_or(usize::MAX).min(MAX_REMAINING));
        }
        Property::SessionExpiryInterval(value) => put_u32(to, 0x11, *value),
        Property::AssignedClientIdentifier(value) => return put_data(to, 0x12, value.as_bytes()),
        Property::ServerKeepAlive(value) => put_u16(to, 0x13, *value),
        Property::AuthenticationMethod(value) => return put_data(to, 0x15, value.as_bytes()),
        Property::AuthenticationData(value) => return put_data(to, 0x16, &value.expose()),
        Property::RequestProblemInformation(value) => to.put_slice(&[0x17, u8::from(*value)]),
        Property::WillDelayInterval(value) => put_u32(to, 0x18, *value),
        Property::RequestResponseInformation(value) => to.put_slice(&[0x19, u8::from(*value)]),
        Property::ResponseInformation(value) => return put_data(to, 0x1a, value.as_bytes()),
        Property::ServerReference(value) => return put_data(to, 0x1c, value.as_bytes()),
        Property::ReasonString(value) => return put_data(to, 0x1f, value.as_bytes()),
        Property::ReceiveMaximum(value) => put_u16(to, 0x21, *value),
        Property::TopicAliasMaximum(value) => put_u16(to, 0x22, *value),
        Property::TopicAlias(value) => put_u16(to, 0x23, *value),
        Property::MaximumQos(value) => to.put_slice(&[0x24, value.number().min(1)]),
        Property::RetainAvailable(value) => to.put_slice(&[0x25, u8::from(*value)]),
        Property::User(name, value) => {
            put_data(to, USER, name.as_bytes())?;
            return put_binary(to, value.as_bytes());
        }
        Property::MaximumPacketSize(value) => put_u32(to, 0x27, *value),
        Property::WildcardSubscriptionAvailable(value) => to.put_slice(&[0x28, u8::from(*value)]),
        Property::SubscriptionIdentifierAvailable(value) => to.put_slice(&[0x29, u8::from(*value)]),
        Property::SharedSubscriptionAvailable(value) => to.put_slice(&[0x2a, u8::from(*value)]),
    }
    Ok(())
}

fn put_u16(to: &mut BytesMut, identifier: u8, value: u16) {
    to.put_u8(identifier);
    to.put_u16(value);
}

fn put_u32(to: &mut BytesMut, identifier: u8, value: u32) {
    to.put_u8(identifier);
    to.put_u32(value);
}

fn put_data(to: &mut BytesMut, identifier: u8, data: &[u8]) -> Result<(), EncodeError> {
    to.put_u8(identifier);
    put_binary(to, data)
}
