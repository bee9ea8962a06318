//! Our words as packets of the client crate, and back.

use std::time::Duration;

use bytes::Bytes;
use mqtt_protocol_core::mqtt::packet::{
    ContentType, CorrelationData, MessageExpiryInterval, PayloadFormat, PayloadFormatIndicator, Property, Qos,
    ResponseTopic, SessionExpiryInterval, SubEntry, SubOpts, UserProperty, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use super::{Granted, Options, Reason};
use crate::messages::{Message, Properties, Received};
use crate::problem::quoted;

/// MQTT 5.0, 3.2.2.3.3: what holds where CONNACK says nothing.
const DEFAULT_RECEIVE_MAXIMUM: u16 = u16::MAX;

pub(super) fn connect(options: &Options) -> Result<v5_0::Connect, MqttError> {
    let expiry = u32::try_from(options.session_expiry.as_secs()).unwrap_or(u32::MAX);
    let builder = v5_0::Connect::builder()
        .client_id(options.client_id.as_str())?
        .clean_start(options.clean_start)
        .keep_alive(u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX))
        // No Receive Maximum: AWS sends at most 100 messages before we acknowledge in any case, and Mosquitto 2.0 loses count of
        // a smaller one when several are acknowledged at once, which would be a protocol error without end.
        .props(vec![Property::SessionExpiryInterval(SessionExpiryInterval::new(
            expiry,
        )?)]);
    match &options.will {
        Some(will) => builder
            .will_message(
                will.topic.as_str(),
                will.payload.to_vec(),
                Qos::AtLeastOnce,
                will.retain,
            )?
            .build(),
        None => builder.build(),
    }
}

pub(super) fn publish(message: &Message, id: Option<u16>) -> Result<v5_0::Publish, MqttError> {
    let qos = if id.is_some() {
        Qos::AtLeastOnce
    } else {
        Qos::AtMostOnce
    };
    let builder = v5_0::Publish::builder()
        .topic_name(message.topic.as_str())?
        .qos(qos)
        .retain(message.retain)
        .payload(&message.payload[..])
        .props(properties(&message.properties)?);
    match id {
        Some(id) => builder.packet_id(id).build(),
        None => builder.build(),
    }
}

fn properties(properties: &Properties) -> Result<Vec<Property>, MqttError> {
    let mut all = Vec::new();
    if let Some(text) = &properties.content_type {
        all.push(Property::ContentType(ContentType::new(text)?));
    }
    if let Some(topic) = &properties.response_topic {
        all.push(Property::ResponseTopic(ResponseTopic::new(topic)?));
    }
    if let Some(data) = &properties.correlation_data {
        all.push(Property::CorrelationData(CorrelationData::new(data)?));
    }
    if let Some(indicator) = properties.payload_format_indicator {
        let format = match indicator {
            0 => PayloadFormat::Binary,
            _ => PayloadFormat::String,
        };
        all.push(Property::PayloadFormatIndicator(PayloadFormatIndicator::new(format)?));
    }
    if let Some(seconds) = properties.message_expiry {
        all.push(Property::MessageExpiryInterval(MessageExpiryInterval::new(seconds)?));
    }
    for (name, value) in &properties.user_properties {
        all.push(Property::UserProperty(UserProperty::new(name, value)?));
    }
    Ok(all)
}

pub(super) fn received(publish: &v5_0::Publish) -> Received {
    let mut properties = Properties::default();
    for property in &publish.props {
        match property {
            Property::ContentType(value) => properties.content_type = Some(value.val().to_owned()),
            Property::ResponseTopic(value) => properties.response_topic = Some(value.val().to_owned()),
            Property::CorrelationData(value) => properties.correlation_data = Some(value.val().to_vec()),
            Property::PayloadFormatIndicator(value) => properties.payload_format_indicator = Some(value.val()),
            Property::MessageExpiryInterval(value) => properties.message_expiry = Some(value.val()),
            Property::UserProperty(pair) => properties
                .user_properties
                .push((pair.key().to_owned(), pair.val().to_owned())),
            _ => {}
        }
    }
    Received {
        topic: publish.topic_name().to_owned(),
        payload: Bytes::copy_from_slice(publish.payload().as_slice()),
        qos: publish.qos() as u8,
        retained: publish.retain(),
        properties,
    }
}

pub(super) fn subscribe(id: u16, filters: &[(String, u8)]) -> Result<v5_0::Subscribe, MqttError> {
    let entry = |(filter, qos): &(String, u8)| {
        let qos = if *qos == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce };
        SubEntry::new(filter, SubOpts::new().set_qos(qos))
    };
    let entries = filters.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    v5_0::Subscribe::builder().entries(entries).packet_id(id).build()
}

pub(super) fn unsubscribe(id: u16, filters: &[String]) -> Result<v5_0::Unsubscribe, MqttError> {
    v5_0::Unsubscribe::builder().packet_id(id).entries(filters)?.build()
}

pub(super) fn puback(id: u16) -> Result<v5_0::Puback, MqttError> {
    v5_0::Puback::builder().packet_id(id).build()
}

pub(super) fn granted(connack: &v5_0::Connack, options: &Options) -> Granted {
    let mut granted = Granted {
        session_present: connack.session_present(),
        session_expiry: options.session_expiry,
        receive_maximum: DEFAULT_RECEIVE_MAXIMUM,
    };
    for property in &connack.props {
        match property {
            Property::SessionExpiryInterval(value) => {
                granted.session_expiry = Duration::from_secs(value.val().into());
            }
            Property::ReceiveMaximum(value) => granted.receive_maximum = value.val(),
            _ => {}
        }
    }
    granted
}

pub(super) fn server_keep_alive(connack: &v5_0::Connack) -> Option<Duration> {
    connack.props.iter().find_map(|property| match property {
        Property::ServerKeepAlive(value) => Some(Duration::from_secs(value.val().into())),
        _ => None,
    })
}

/// A reason code, and the reason string among the properties.
pub(super) fn reason(code: u8, properties: &[Property]) -> Reason {
    let words = properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(quoted(text.val())),
        _ => None,
    });
    Reason { code, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_as_large_as_its_message_says() {
        let text = |length: usize| "x".repeat(length);
        let all = Properties {
            content_type: Some(text(20)),
            response_topic: Some(text(100)),
            correlation_data: Some(vec![1; 30]),
            payload_format_indicator: Some(1),
            message_expiry: Some(60),
            user_properties: vec![(text(3), text(300)), (text(1), String::new())],
        };
        let some = Properties {
            message_expiry: Some(1),
            ..Properties::default()
        };
        for properties in [Properties::default(), some, all] {
            for payload in [0, 1, 100, 127, 16_000, 131_000] {
                let message = Message {
                    topic: "gw-1/data".into(),
                    payload: vec![0; payload].into(),
                    properties: properties.clone(),
                    ..Message::default()
                };
                let packet = publish(&message, Some(1)).unwrap();
                let bytes = packet.to_continuous_buffer().len();
                assert_eq!(bytes, message.packet_size(), "{payload} {properties:?}");
            }
        }
    }
}
