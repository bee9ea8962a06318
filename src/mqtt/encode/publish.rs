//! Encodes PUBLISH, without copying the message.

use bytes::{BufMut, BytesMut};

use crate::messages::Properties;
use crate::mqtt::ProtocolVersion;
use crate::mqtt::packet::Publish;
use crate::mqtt::wire::{EncodeError, MAX_REMAINING, put_binary, put_variable};
use crate::qos::Qos;

/// The fields of PUBLISH that belong to the connection, not to the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// The quality of service.
    pub qos: Qos,
    /// The retain flag.
    pub retain: bool,
    /// The packet identifier, at QoS 1 and 2.
    pub packet_id: Option<u16>,
    /// The topic alias.
    pub topic_alias: Option<u16>,
    /// The identifiers of the matching subscriptions.
    pub subscription_identifiers: &'a [u32],
}

impl<'a> Header<'a> {
    pub(super) fn of(message: &'a Publish) -> Self {
        Self {
            dup: message.dup,
            qos: message.qos,
            retain: message.retain,
            packet_id: message.packet_id,
            topic_alias: message.topic_alias,
            subscription_identifiers: &message.subscription_identifiers,
        }
    }
}

/// Encodes PUBLISH. On failure nothing is written.
///
/// # Errors
/// If a field is too long.
pub fn publish(
    to: &mut BytesMut,
    version: ProtocolVersion,
    header: &Header,
    topic: &str,
    properties: &Properties,
    payload: &[u8],
) -> Result<(), EncodeError> {
    let mut head = BytesMut::new();
    put_binary(&mut head, topic.as_bytes())?;
    if let Some(packet_id) = header.packet_id {
        head.put_u16(packet_id);
    }
    if version == ProtocolVersion::V5 {
        let mut all = BytesMut::new();
        put_message_properties(&mut all, properties)?;
        if let Some(alias) = header.topic_alias {
            all.put_u8(0x23);
            all.put_u16(alias);
        }
        for identifier in header.subscription_identifiers {
            all.put_u8(0x0b);
            put_variable(
                &mut all,
                usize::try_from(*identifier).unwrap_or(usize::MAX).min(MAX_REMAINING),
            );
        }
        put_variable(&mut head, all.len());
        head.unsplit(all);
    }
    let remaining = head.len() + payload.len();
    if remaining > MAX_REMAINING {
        return Err(EncodeError::TooLong);
    }
    to.put_u8(0x30 | (u8::from(header.dup) << 3) | (header.qos.number() << 1) | u8::from(header.retain));
    put_variable(to, remaining);
    to.extend_from_slice(&head);
    to.extend_from_slice(payload);
    Ok(())
}

/// Writes the properties that messages and wills have in common, without their length.
pub(super) fn put_message_properties(to: &mut BytesMut, properties: &Properties) -> Result<(), EncodeError> {
    if let Some(indicator) = properties.payload_format_indicator {
        to.put_slice(&[0x01, u8::from(indicator != 0)]);
    }
    if let Some(seconds) = properties.message_expiry {
        to.put_u8(0x02);
        to.put_u32(seconds);
    }
    for (identifier, text) in [(0x03, &properties.content_type), (0x08, &properties.response_topic)] {
        if let Some(text) = text {
            to.put_u8(identifier);
            put_binary(to, text.as_bytes())?;
        }
    }
    if let Some(data) = &properties.correlation_data {
        to.put_u8(0x09);
        put_binary(to, data)?;
    }
    for (name, value) in &properties.user_properties {
        to.put_u8(0x26);
        put_binary(to, name.as_bytes())?;
        put_binary(to, value.as_bytes())?;
    }
    Ok(())
}
