//! Decodes PUBLISH, and the properties that messages and wills have in common.

use bytes::Bytes;

use crate::messages::Properties;
use crate::mqtt::packet::Publish;
use crate::mqtt::properties::{self, Property, Section};
use crate::mqtt::wire::Reader;
use crate::mqtt::{ProtocolError, Sender, names};
use crate::qos::Qos;

pub(super) fn publish(first: u8, mut reader: Reader, sender: Sender) -> Result<Publish, ProtocolError> {
    let topic = reader.text()?;
    names::check_no_wildcard(&topic)?;
    let qos = Qos::from_number((first >> 1) & 3).ok_or(ProtocolError::malformed(
        "MQTT-3.3.1-4",
        "PUBLISH at quality of service 3",
    ))?;
    let mut message = Publish {
        dup: first & 8 != 0,
        qos,
        retain: first & 1 != 0,
        topic,
        ..Publish::default()
    };
    if qos > Qos::AtMostOnce {
        let statement = match sender {
            Sender::Client => "MQTT-2.2.1-3",
            Sender::Server => "MQTT-2.2.1-4",
        };
        message.packet_id = Some(reader.packet_id(statement)?);
    }
    let (properties, left_out) = properties::read(&mut reader, Section::Publish, sender)?;
    message.left_out = left_out;
    for property in properties {
        match property {
            Property::TopicAlias(alias) => message.topic_alias = Some(alias),
            Property::SubscriptionIdentifier(identifier) => message.subscription_identifiers.push(identifier),
            other => take_property(other, sender, &mut message.properties)?,
        }
    }
    if message.topic.is_empty() && message.topic_alias.is_none() {
        let statement = reader.cite("MQTT 5.0, 3.3.2.1", "MQTT-4.7.3-1");
        return Err(ProtocolError::forbidden(statement, "PUBLISH without a topic"));
    }
    // Copied, so that a small message does not keep the buffer of a large read alive.
    message.payload = Bytes::copy_from_slice(&reader.rest());
    Ok(message)
}

/// Stores a property that is passed on to the message's receivers.
pub(super) fn take_property(property: Property, sender: Sender, to: &mut Properties) -> Result<(), ProtocolError> {
    match property {
        Property::ContentType(value) => to.content_type = Some(value),
        Property::ResponseTopic(value) if value.contains(['+', '#']) => {
            return Err(ProtocolError::malformed(
                "MQTT-3.3.2-14",
                "a response topic with a wildcard",
            ));
        }
        Property::ResponseTopic(value) => {
            if sender == Sender::Client {
                names::check_name(&value)?;
            }
            to.response_topic = Some(value);
        }
        Property::CorrelationData(value) => to.correlation_data = Some(value.to_vec()),
        Property::PayloadFormatIndicator(value) => to.payload_format_indicator = Some(value),
        Property::MessageExpiryInterval(value) => to.message_expiry = Some(value),
        Property::User(name, value) => to.user_properties.push((name, value)),
        // These properties are read elsewhere; the table of sections rejects all others.
        _ => {}
    }
    Ok(())
}
