//! Properties (MQTT 5.0, 2.2.2): which may stand where, and how often.

use bytes::Bytes;

use super::ProtocolError;
use super::wire::Reader;
use crate::qos::Qos;

/// The packet in which properties stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Connack,
    Publish,
    /// PUBACK, SUBACK and UNSUBACK have the same ones.
    Acknowledgement,
    Disconnect,
}

/// A property of a packet that a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Property {
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
    AuthenticationData(Bytes),
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

/// May stand more than once.
const REPEATABLE: [u8; 2] = [0x0b, 0x26];

/// Reads the property length and the properties. A user property beyond `most_user_properties` is read and left out; how many
/// there were is returned.
pub(super) fn read(
    reader: &mut Reader,
    place: Place,
    most_user_properties: usize,
) -> Result<(Vec<Property>, usize), ProtocolError> {
    let length = usize::try_from(reader.variable()?).unwrap_or(usize::MAX);
    let mut section = Reader::new(reader.split(length)?);
    let (mut all, mut seen, mut user) = (Vec::new(), [0_u8; 6], 0_usize);
    while !section.is_empty() {
        // A variable byte integer by the letter; all that are defined have one byte.
        let identifier = u8::try_from(section.variable()?).unwrap_or(u8::MAX);
        if !places(identifier).contains(&place) {
            return Err(ProtocolError::malformed(
                "MQTT 5.0, 2.2.2.2",
                "a property that its packet must not have",
            ));
        }
        let (slot, bit) = (usize::from(identifier / 8), 1 << (identifier % 8));
        if let Some(bits) = seen.get_mut(slot) {
            if *bits & bit != 0 && !REPEATABLE.contains(&identifier) {
                return Err(ProtocolError::forbidden("MQTT 5.0, 2.2.2.2", "a property twice"));
            }
            *bits |= bit;
        }
        let property = value(identifier, &mut section)?;
        let is_user = matches!(property, Property::User(..));
        user += usize::from(is_user);
        if !is_user || user <= most_user_properties {
            all.push(property);
        }
    }
    Ok((all, user))
}

/// The packets in which a property may come from a server (MQTT 5.0, table 2-4).
fn places(identifier: u8) -> &'static [Place] {
    use Place::{Acknowledgement, Connack, Disconnect, Publish};
    match identifier {
        0x01 | 0x02 | 0x03 | 0x08 | 0x09 | 0x0b | 0x23 => &[Publish],
        // A server must not send Session Expiry Interval in DISCONNECT (MQTT-3.14.2-2).
        0x11..=0x13 | 0x15 | 0x16 | 0x1a | 0x21 | 0x22 | 0x24 | 0x25 | 0x27..=0x2a => &[Connack],
        0x1c => &[Connack, Disconnect],
        0x1f => &[Connack, Acknowledgement, Disconnect],
        0x26 => &[Connack, Publish, Acknowledgement, Disconnect],
        _ => &[],
    }
}

fn value(identifier: u8, section: &mut Reader) -> Result<Property, ProtocolError> {
    Ok(match identifier {
        0x01 => Property::PayloadFormatIndicator(u8::from(flag(section)?)),
        0x02 => Property::MessageExpiryInterval(section.u32()?),
        0x03 => Property::ContentType(section.text()?),
        0x08 => Property::ResponseTopic(section.text()?),
        0x09 => Property::CorrelationData(section.binary()?),
        0x0b => Property::SubscriptionIdentifier(not_zero(section.variable()?)?),
        0x11 => Property::SessionExpiryInterval(section.u32()?),
        0x12 => Property::AssignedClientIdentifier(section.text()?),
        0x13 => Property::ServerKeepAlive(section.u16()?),
        0x15 => Property::AuthenticationMethod(section.text()?),
        0x16 => Property::AuthenticationData(section.binary()?),
        0x1a => Property::ResponseInformation(section.text()?),
        0x1c => Property::ServerReference(section.text()?),
        0x1f => Property::ReasonString(section.text()?),
        0x21 => Property::ReceiveMaximum(not_zero(section.u16()?)?),
        0x22 => Property::TopicAliasMaximum(section.u16()?),
        0x23 => match section.u16()? {
            0 => {
                let code = super::ReasonCode::TOPIC_ALIAS_INVALID;
                return Err(ProtocolError::with_code(code, "MQTT-3.3.2-8", "topic alias 0"));
            }
            alias => Property::TopicAlias(alias),
        },
        0x24 => Property::MaximumQos(match flag(section)? {
            true => Qos::AtLeastOnce,
            false => Qos::AtMostOnce,
        }),
        0x25 => Property::RetainAvailable(flag(section)?),
        0x26 => Property::User(section.text()?, section.text()?),
        0x27 => Property::MaximumPacketSize(not_zero(section.u32()?)?),
        0x28 => Property::WildcardSubscriptionAvailable(flag(section)?),
        0x29 => Property::SubscriptionIdentifierAvailable(flag(section)?),
        0x2a => Property::SharedSubscriptionAvailable(flag(section)?),
        _ => return Err(ProtocolError::malformed("MQTT 5.0, 2.2.2.2", "an unknown property")),
    })
}

fn flag(section: &mut Reader) -> Result<bool, ProtocolError> {
    match section.u8()? {
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
