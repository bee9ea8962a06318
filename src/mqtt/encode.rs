//! Packets that a client sends.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::wire::{put_binary, put_variable};
use super::{MAX_PACKET, RECEIVE_MAXIMUM, ReasonCode};
use crate::messages::{Message, Properties};
use crate::qos::Qos;

/// A text or binary field is longer than the protocol's 65,535 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldTooLong;

/// The fields of CONNECT.
#[derive(Clone, Debug)]
pub struct Connect<'a> {
    /// The client ID.
    pub client_id: &'a str,
    /// Whether the server shall forget the session of before.
    pub clean_start: bool,
    /// How often the connection is proven alive.
    pub keep_alive: Duration,
    /// How long the session should be kept after a disconnect.
    pub session_expiry: Duration,
    /// The message that the server publishes when the connection is lost.
    pub will: Option<&'a Message>,
}

/// Writes CONNECT.
///
/// # Errors
/// Where a field is too long.
pub fn connect(to: &mut BytesMut, connect: &Connect) -> Result<(), FieldTooLong> {
    let will = connect
        .will
        .map_or(0, |will| 0x04 | 0x08 | (u8::from(will.retain) << 5));
    let mut body = BytesMut::from(&b"\x00\x04MQTT\x05"[..]);
    body.put_u8((u8::from(connect.clean_start) << 1) | will);
    body.put_u16(u16::try_from(connect.keep_alive.as_secs()).unwrap_or(u16::MAX));
    let mut properties = BytesMut::new();
    properties.put_u8(0x11);
    properties.put_u32(u32::try_from(connect.session_expiry.as_secs()).unwrap_or(u32::MAX));
    properties.put_u8(0x21);
    properties.put_u16(RECEIVE_MAXIMUM);
    properties.put_u8(0x27);
    properties.put_u32(MAX_PACKET);
    put_variable(&mut body, properties.len());
    body.unsplit(properties);
    put(&mut body, connect.client_id.as_bytes())?;
    if let Some(will) = connect.will {
        put_properties(&mut body, &will.properties)?;
        put(&mut body, will.topic.as_bytes())?;
        put(&mut body, &will.payload)?;
    }
    frame(to, 0x10, &body);
    Ok(())
}

/// Writes PUBLISH: at quality of service 1 with a packet identifier, else at 0.
///
/// # Errors
/// Where a field is too long.
pub fn publish(to: &mut BytesMut, message: &Message, packet_id: Option<u16>) -> Result<(), FieldTooLong> {
    let mut head = BytesMut::new();
    put(&mut head, message.topic.as_bytes())?;
    if let Some(packet_id) = packet_id {
        head.put_u16(packet_id);
    }
    put_properties(&mut head, &message.properties)?;
    let qos = u8::from(packet_id.is_some());
    to.put_u8(0x30 | (qos << 1) | u8::from(message.retain));
    put_variable(to, head.len() + message.payload.len());
    to.extend_from_slice(&head);
    to.extend_from_slice(&message.payload);
    Ok(())
}

fn put_properties(to: &mut BytesMut, properties: &Properties) -> Result<(), FieldTooLong> {
    let mut all = BytesMut::new();
    if let Some(indicator) = properties.payload_format_indicator {
        all.put_slice(&[0x01, u8::from(indicator != 0)]);
    }
    if let Some(seconds) = properties.message_expiry {
        all.put_u8(0x02);
        all.put_u32(seconds);
    }
    for (identifier, text) in [(0x03, &properties.content_type), (0x08, &properties.response_topic)] {
        if let Some(text) = text {
            all.put_u8(identifier);
            put(&mut all, text.as_bytes())?;
        }
    }
    if let Some(data) = &properties.correlation_data {
        all.put_u8(0x09);
        put(&mut all, data)?;
    }
    for (name, value) in &properties.user_properties {
        all.put_u8(0x26);
        put(&mut all, name.as_bytes())?;
        put(&mut all, value.as_bytes())?;
    }
    put_variable(to, all.len());
    to.unsplit(all);
    Ok(())
}

/// Writes PUBACK, without the reason code where that is success.
pub fn puback(to: &mut BytesMut, packet_id: u16, code: ReasonCode) {
    let [high, low] = packet_id.to_be_bytes();
    match code {
        ReasonCode::SUCCESS => frame(to, 0x40, &[high, low]),
        ReasonCode(code) => frame(to, 0x40, &[high, low, code]),
    }
}

/// Writes SUBSCRIBE for filters with their quality of service.
///
/// # Errors
/// Where a filter is too long.
pub fn subscribe(to: &mut BytesMut, packet_id: u16, filters: &[(String, Qos)]) -> Result<(), FieldTooLong> {
    let mut body = BytesMut::new();
    body.put_u16(packet_id);
    body.put_u8(0);
    for (filter, qos) in filters {
        put(&mut body, filter.as_bytes())?;
        body.put_u8(qos.number());
    }
    frame(to, 0x82, &body);
    Ok(())
}

/// Writes UNSUBSCRIBE.
///
/// # Errors
/// Where a filter is too long.
pub fn unsubscribe(to: &mut BytesMut, packet_id: u16, filters: &[String]) -> Result<(), FieldTooLong> {
    let mut body = BytesMut::new();
    body.put_u16(packet_id);
    body.put_u8(0);
    for filter in filters {
        put(&mut body, filter.as_bytes())?;
    }
    frame(to, 0xa2, &body);
    Ok(())
}

/// Writes PINGREQ.
pub fn pingreq(to: &mut BytesMut) {
    frame(to, 0xc0, &[]);
}

/// Writes DISCONNECT; with success the server discards the will.
pub fn disconnect(to: &mut BytesMut, code: ReasonCode) {
    match code {
        ReasonCode::SUCCESS => frame(to, 0xe0, &[]),
        ReasonCode(code) => frame(to, 0xe0, &[code]),
    }
}

fn frame(to: &mut BytesMut, first: u8, body: &[u8]) {
    to.put_u8(first);
    put_variable(to, body.len());
    to.extend_from_slice(body);
}

fn put(to: &mut BytesMut, data: &[u8]) -> Result<(), FieldTooLong> {
    put_binary(to, data).then_some(()).ok_or(FieldTooLong)
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
            for payload in [0, 1, 100, 127, 16_000, 131_000, 131_072] {
                let message = Message {
                    topic: "gw-1/data".into(),
                    payload: vec![0; payload].into(),
                    properties: properties.clone(),
                    ..Message::default()
                };
                let mut bytes = BytesMut::new();
                publish(&mut bytes, &message, Some(1)).unwrap();
                assert_eq!(bytes.len(), message.packet_size(), "{payload} {properties:?}");
            }
        }
    }

    #[test]
    fn packets_are_written_as_the_specification_draws_them() {
        let written = |write: &dyn Fn(&mut BytesMut)| {
            let mut bytes = BytesMut::new();
            write(&mut bytes);
            bytes.to_vec()
        };
        let will = Message {
            topic: "w".into(),
            payload: "off".into(),
            retain: true,
            ..Message::default()
        };
        let connected = written(&|to| {
            let request = Connect {
                client_id: "gw",
                clean_start: true,
                keep_alive: Duration::from_secs(60),
                session_expiry: Duration::from_secs(3600),
                will: Some(&will),
            };
            connect(to, &request).unwrap();
        });
        let expected = b"\x10\x25\x00\x04MQTT\x05\x2e\x00\x3c\x0d\x11\x00\x00\x0e\x10\x21\x00\x64\x27\x00\x02\x48\x00\
                         \x00\x02gw\x00\x00\x01w\x00\x03off";
        assert_eq!(connected, expected);
        assert_eq!(written(&|to| puback(to, 258, ReasonCode::SUCCESS)), b"\x40\x02\x01\x02");
        assert_eq!(
            written(&|to| puback(to, 1, ReasonCode::QUOTA_EXCEEDED)),
            b"\x40\x03\x00\x01\x97"
        );
        assert_eq!(
            written(&|to| subscribe(
                to,
                7,
                &[("a/#".into(), Qos::AtLeastOnce), ("b".into(), Qos::AtMostOnce)]
            )
            .unwrap()),
            b"\x82\x0d\x00\x07\x00\x00\x03a/#\x01\x00\x01b\x00"
        );
        assert_eq!(
            written(&|to| unsubscribe(to, 8, &["a".into()]).unwrap()),
            b"\xa2\x06\x00\x08\x00\x00\x01a"
        );
        assert_eq!(written(&pingreq), b"\xc0\x00");
        assert_eq!(written(&|to| disconnect(to, ReasonCode::SUCCESS)), b"\xe0\x00");
        assert_eq!(
            written(&|to| disconnect(to, ReasonCode::PROTOCOL_ERROR)),
            b"\xe0\x01\x82"
        );
    }

    #[test]
    fn a_field_that_is_too_long_leaves_nothing_behind() {
        let mut bytes = BytesMut::new();
        let long = Message {
            topic: "t".into(),
            properties: Properties {
                content_type: Some("x".repeat(65_536)),
                ..Properties::default()
            },
            ..Message::default()
        };
        assert_eq!(publish(&mut bytes, &long, Some(1)), Err(FieldTooLong));
        assert_eq!(
            subscribe(
                &mut bytes,
                1,
                &["x".repeat(65_536)].map(|filter| (filter, Qos::AtMostOnce))
            ),
            Err(FieldTooLong)
        );
        assert!(bytes.is_empty());
    }
}
