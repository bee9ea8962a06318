//! Packets as in the specifications' figures, encoded and decoded.

mod drawn;

use std::time::Duration;

use super::*;
use crate::messages::{Message, Properties};
use crate::mqtt::packet::{Auth, Connack, Publish, Subscription};
use crate::mqtt::{ConnectRequest, Frame, Sender, decode};
use crate::qos::Qos;

const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5: ProtocolVersion = ProtocolVersion::V5;

fn acknowledgement(packet_id: u16, code: ReasonCode, properties: Vec<Property>) -> Acknowledgement {
    Acknowledgement {
        packet_id,
        code,
        properties,
    }
}

fn subscribe(options: SubscriptionOptions) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: 7,
        subscriptions: vec![Subscription {
            filter: "a/#".into(),
            options,
        }],
        properties: Vec::new(),
    })
}

fn suback(codes: &[u8]) -> Suback {
    Suback {
        packet_id: 7,
        codes: codes.iter().map(|code| ReasonCode(*code)).collect(),
        properties: Vec::new(),
    }
}

fn connack(session_present: bool, code: ReasonCode) -> Packet {
    Packet::Connack(Connack {
        session_present,
        code,
        properties: Vec::new(),
    })
}

fn publish(qos: Qos, packet_id: Option<u16>) -> Publish {
    Publish {
        qos,
        packet_id,
        topic: "t".into(),
        payload: "on".into(),
        ..Publish::default()
    }
}

#[test]
fn packets_are_written_and_read_as_the_specifications_draw_them() {
    for (packet, version, sender, bytes) in drawn::cases() {
        let mut written = BytesMut::new();
        encode(&mut written, &packet, version).unwrap();
        assert_eq!(&written[..], bytes, "{packet:?}");
        let [first, _, body @ ..] = bytes else {
            panic!("{bytes:?}")
        };
        let frame = Frame::Packet {
            first: *first,
            body: bytes::Bytes::from_static(body),
        };
        assert_eq!(decode(frame, sender, version), Ok(packet));
    }
}

#[test]
fn codes_that_a_version_does_not_have_are_not_written() {
    let write = |packet: &Packet| {
        let mut bytes = BytesMut::new();
        encode(&mut bytes, packet, V3).map(|()| bytes.to_vec())
    };
    let auth = Packet::Auth(Auth {
        code: ReasonCode::SUCCESS,
        properties: Vec::new(),
    });
    let malformed = connack(false, ReasonCode::MALFORMED_PACKET);
    assert_eq!(write(&auth), Err(EncodeError::NotInVersion));
    assert_eq!(write(&malformed), Err(EncodeError::NotInVersion));
    // One code stands for every refusal of a filter, and PUBACK has none.
    assert_eq!(
        write(&Packet::Suback(suback(&[0x87]))),
        Ok(b"\x90\x03\x00\x07\x80".to_vec())
    );
    let refused = acknowledgement(1, ReasonCode::NOT_AUTHORIZED, Vec::new());
    assert_eq!(write(&Packet::Puback(refused)), Ok(b"\x40\x02\x00\x01".to_vec()));
}

#[test]
fn our_connect_announces_the_limits_of_the_client() {
    let request = ConnectRequest {
        client_id: "gw",
        clean_start: true,
        keep_alive: Duration::from_secs(60),
        session_expiry: Duration::from_secs(3600),
        will: Some(&Message {
            topic: "w".into(),
            payload: "off".into(),
            retain: true,
            ..Message::default()
        }),
    };
    let mut bytes = BytesMut::new();
    encode(&mut bytes, &Packet::Connect(Box::new(request.packet())), V5).unwrap();
    let expected = b"\x10\x25\x00\x04MQTT\x05\x2e\x00\x3c\x0d\x11\x00\x00\x0e\x10\x21\x00\x64\x27\x00\x02\x48\x00\
                     \x00\x02gw\x00\x00\x01w\x00\x03off";
    assert_eq!(&bytes[..], expected);
}

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
            let packet = Publish {
                topic: message.topic.clone(),
                payload: message.payload.clone(),
                properties: properties.clone(),
                ..publish(Qos::AtLeastOnce, Some(1))
            };
            let mut bytes = BytesMut::new();
            encode(&mut bytes, &Packet::Publish(packet), V5).unwrap();
            assert_eq!(bytes.len(), message.packet_size(), "{payload} {properties:?}");
        }
    }
}

#[test]
fn a_field_that_is_too_long_leaves_nothing_behind() {
    let long = "x".repeat(65_536);
    let mut message = publish(Qos::AtLeastOnce, Some(1));
    message.properties.content_type = Some(long.clone());
    let request = Packet::Unsubscribe(Unsubscribe {
        packet_id: 1,
        filters: vec![long],
        properties: Vec::new(),
    });
    let mut bytes = BytesMut::new();
    for packet in [Packet::Publish(message), request] {
        assert_eq!(encode(&mut bytes, &packet, V5), Err(EncodeError::TooLong));
        assert!(bytes.is_empty());
    }
}
