//! Input from an MQTT client: well-formed packets and arbitrary bytes.

use arbitrary::Arbitrary;
use bytes::BytesMut;
use gatepost::mqtt::packet::{Acknowledgement, Publish, Subscribe, Subscription, SubscriptionOptions, Unsubscribe};
use gatepost::mqtt::{Packet, ProtocolVersion, ReasonCode, encode};
use gatepost::qos::Qos;

/// The first bytes from a client.
#[derive(Arbitrary, Debug)]
pub enum First<'a> {
    /// Arbitrary bytes.
    Bytes(&'a [u8]),
    /// CONNECT with this level, these flags and this rest after the keep-alive.
    Connect(u8, u8, &'a [u8]),
    /// A valid CONNECT of MQTT 5 with a will and a session expiry.
    V5 {
        /// The Maximum Packet Size.
        narrow: Option<u8>,
        /// The Receive Maximum.
        window: Option<u8>,
    },
    /// A valid CONNECT of MQTT 3.1.1.
    V3 {
        /// Whether it has mosquitto's bit for bridges.
        bridge: bool,
    },
}

impl First<'_> {
    /// Encodes it.
    pub fn bytes(&self) -> Vec<u8> {
        let framed = |level: u8, flags: u8, rest: &[u8]| {
            let body = [&b"\x00\x04MQTT"[..], &[level, flags, 0, 60], rest].concat();
            frame(0x10, &body)
        };
        match self {
            First::Bytes(bytes) => bytes.to_vec(),
            First::Connect(level, flags, rest) => framed(*level, *flags, rest),
            First::V5 { narrow, window } => {
                let mut properties = b"\x11\x00\x00\x00\x09".to_vec();
                if let Some(most) = narrow.filter(|most| *most > 0) {
                    properties.extend_from_slice(&[0x27, 0, 0, 0, most]);
                }
                if let Some(most) = window.filter(|most| *most > 0) {
                    properties.extend_from_slice(&[0x21, 0, most]);
                }
                let length = [u8::try_from(properties.len()).unwrap_or_default()];
                let rest = [&length[..], &properties, b"\x00\x02gw\x00\x00\x01w\x00\x01x"].concat();
                framed(5, 0x04, &rest)
            }
            First::V3 { bridge } => framed(if *bridge { 0x84 } else { 4 }, 0, b"\x00\x02gw"),
        }
    }
}

/// Bytes from a client after its CONNECT.
#[derive(Arbitrary, Debug)]
pub enum Sent<'a> {
    /// Arbitrary bytes.
    Bytes(&'a [u8]),
    /// A packet with this first byte and any body.
    Framed(u8, &'a [u8]),
    /// PUBLISH.
    Publish {
        /// The packet identifier, at QoS 1.
        id: Option<u8>,
        /// The flag DUP.
        dup: bool,
        /// The flag RETAIN.
        retain: bool,
        /// The topic.
        topic: &'a str,
        /// The topic alias.
        alias: Option<u8>,
        /// The payload.
        payload: &'a [u8],
    },
    /// PUBACK.
    Puback(u8, u8),
    /// SUBSCRIBE.
    Subscribe(u8, &'a str, u8),
    /// UNSUBSCRIBE.
    Unsubscribe(u8, &'a str),
    /// PINGREQ.
    Ping,
}

impl Sent<'_> {
    /// Encodes it in this version; nothing if that is not a packet.
    pub fn bytes(&self, version: ProtocolVersion) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        let packet = match self {
            Sent::Bytes(bytes) => return bytes.to_vec(),
            Sent::Framed(first, body) => return frame(*first, body),
            Sent::Publish {
                id,
                dup,
                retain,
                topic,
                alias,
                payload,
            } => Packet::Publish(Publish {
                dup: *dup,
                qos: if id.is_some() {
                    Qos::AtLeastOnce
                } else {
                    Qos::AtMostOnce
                },
                retain: *retain,
                topic: (*topic).to_owned(),
                packet_id: id.map(u16::from),
                topic_alias: alias.map(u16::from),
                payload: payload.to_vec().into(),
                ..Publish::default()
            }),
            Sent::Puback(id, code) => Packet::Puback(Acknowledgement {
                packet_id: (*id).into(),
                code: ReasonCode(*code),
                properties: Vec::new(),
            }),
            Sent::Subscribe(id, filter, qos) => Packet::Subscribe(Subscribe {
                packet_id: (*id).into(),
                subscriptions: vec![Subscription {
                    filter: (*filter).to_owned(),
                    options: SubscriptionOptions {
                        qos: Qos::from_number(qos % 3).unwrap_or_default(),
                        ..SubscriptionOptions::default()
                    },
                }],
                properties: Vec::new(),
            }),
            Sent::Unsubscribe(id, filter) => Packet::Unsubscribe(Unsubscribe {
                packet_id: (*id).into(),
                filters: vec![(*filter).to_owned()],
                properties: Vec::new(),
            }),
            Sent::Ping => Packet::Pingreq,
        };
        match encode(&mut bytes, &packet, version) {
            Ok(()) => bytes.to_vec(),
            Err(_) => Vec::new(),
        }
    }
}

/// Returns a packet with any content; nothing if its length needs more than two bytes.
fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let (low, high) = (body.len() % 128, body.len() / 128);
    let byte = |value: usize| u8::try_from(value).unwrap_or_default();
    match high {
        0 => [&[first, byte(low)], body].concat(),
        1..128 => [&[first, byte(low) | 0x80, byte(high)], body].concat(),
        _ => Vec::new(),
    }
}
