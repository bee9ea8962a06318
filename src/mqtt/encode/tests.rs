//! Packets as the specifications draw them, written and read back.

use std::time::Duration;

use super::*;
use crate::messages::{Message, Properties};
use crate::mqtt::packet::{Auth, Connack, Connect, Disconnect, Publish, Subscription, Will};
use crate::mqtt::{ConnectRequest, Frame, Password, Sender, decode};
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

fn connects() -> Vec<(Packet, ProtocolVersion, Sender, &'static [u8])> {
    let will = Will {
        qos: Qos::AtLeastOnce,
        retain: true,
        topic: "w".into(),
        payload: "off".into(),
        ..Will::default()
    };
    let connect = Connect {
        clean_start: true,
        keep_alive: 60,
        client_id: "gw".into(),
        will: Some(will.clone()),
        properties: vec![Property::SessionExpiryInterval(3600), Property::ReceiveMaximum(100)],
        ..Connect::default()
    };
    let with_password = Connect {
        client_id: "c".into(),
        user_name: Some("u".into()),
        password: Some(Password::new(b"p".to_vec())),
        properties: Vec::new(),
        will: Some(Will { delay: 5, ..will }),
        ..connect.clone()
    };
    let bridge = Connect {
        version: V3,
        bridge: true,
        keep_alive: 1,
        client_id: "b".into(),
        user_name: Some("u".into()),
        ..Connect::default()
    };
    let of = |connect: Connect| Packet::Connect(Box::new(connect));
    vec![
        (
            of(connect),
            V5,
            Sender::Client,
            b"\x10\x20\x00\x04MQTT\x05\x2e\x00\x3c\x08\x11\x00\x00\x0e\x10\x21\x00\x64\x00\x02gw\x00\x00\x01w\x00\x03off",
        ),
        (
            of(with_password),
            V5,
            Sender::Client,
            b"\x10\x22\x00\x04MQTT\x05\xee\x00\x3c\x00\x00\x01c\x05\x18\x00\x00\x00\x05\x00\x01w\x00\x03off\x00\x01u\x00\x01p",
        ),
        (
            of(bridge),
            V3,
            Sender::Client,
            b"\x10\x10\x00\x04MQTT\x84\x80\x00\x01\x00\x01b\x00\x01u",
        ),
    ]
}

fn drawn() -> Vec<(Packet, ProtocolVersion, Sender, &'static [u8])> {
    use Sender::{Client, Server};
    let qos_1 = SubscriptionOptions {
        qos: Qos::AtLeastOnce,
        ..SubscriptionOptions::default()
    };
    let all_options = SubscriptionOptions {
        qos: Qos::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let unsubscribe = || {
        Packet::Unsubscribe(Unsubscribe {
            packet_id: 8,
            filters: vec!["a".into()],
            properties: Vec::new(),
        })
    };
    let disconnect = |code| {
        let properties = Vec::new();
        Packet::Disconnect(Disconnect { code, properties })
    };
    let auth = Auth {
        code: ReasonCode::CONTINUE_AUTHENTICATION,
        properties: vec![Property::AuthenticationMethod("m".into())],
    };
    let aliased = Publish {
        topic: String::new(),
        topic_alias: Some(2),
        dup: true,
        retain: true,
        ..publish(Qos::AtLeastOnce, Some(3))
    };
    let (success, words) = (ReasonCode::SUCCESS, || vec![Property::ReasonString("no".into())]);
    vec![
        (connack(true, success), V5, Server, b"\x20\x03\x01\x00\x00"),
        (connack(false, ReasonCode::BANNED), V5, Server, b"\x20\x03\x00\x8a\x00"),
        (connack(true, success), V3, Server, b"\x20\x02\x01\x00"),
        (
            connack(false, ReasonCode::CLIENT_ID_NOT_VALID),
            V3,
            Server,
            b"\x20\x02\x00\x02",
        ),
        (
            Packet::Publish(publish(Qos::AtMostOnce, None)),
            V5,
            Client,
            b"\x30\x06\x00\x01t\x00on",
        ),
        (
            Packet::Publish(publish(Qos::AtMostOnce, None)),
            V3,
            Client,
            b"\x30\x05\x00\x01ton",
        ),
        (
            Packet::Publish(publish(Qos::AtLeastOnce, Some(9))),
            V3,
            Client,
            b"\x32\x07\x00\x01t\x00\x09on",
        ),
        (
            Packet::Publish(aliased),
            V5,
            Client,
            b"\x3b\x0a\x00\x00\x00\x03\x03\x23\x00\x02on",
        ),
        (
            Packet::Puback(acknowledgement(258, success, vec![])),
            V5,
            Client,
            b"\x40\x02\x01\x02",
        ),
        (
            Packet::Puback(acknowledgement(258, success, vec![])),
            V3,
            Client,
            b"\x40\x02\x01\x02",
        ),
        (
            Packet::Puback(acknowledgement(1, ReasonCode::QUOTA_EXCEEDED, vec![])),
            V5,
            Client,
            b"\x40\x03\x00\x01\x97",
        ),
        (
            Packet::Puback(acknowledgement(1, ReasonCode::QUOTA_EXCEEDED, words())),
            V5,
            Client,
            b"\x40\x09\x00\x01\x97\x05\x1f\x00\x02no",
        ),
        (
            Packet::Pubrec(acknowledgement(1, success, vec![])),
            V5,
            Client,
            b"\x50\x02\x00\x01",
        ),
        (
            Packet::Pubrel(acknowledgement(1, success, vec![])),
            V3,
            Client,
            b"\x62\x02\x00\x01",
        ),
        (
            Packet::Pubcomp(acknowledgement(1, ReasonCode::PACKET_ID_NOT_FOUND, vec![])),
            V5,
            Server,
            b"\x70\x03\x00\x01\x92",
        ),
        (subscribe(qos_1), V5, Client, b"\x82\x09\x00\x07\x00\x00\x03a/#\x01"),
        (
            subscribe(all_options),
            V5,
            Client,
            b"\x82\x09\x00\x07\x00\x00\x03a/#\x2e",
        ),
        (subscribe(qos_1), V3, Client, b"\x82\x08\x00\x07\x00\x03a/#\x01"),
        (
            Packet::Suback(suback(&[1, 0x87])),
            V5,
            Server,
            b"\x90\x05\x00\x07\x00\x01\x87",
        ),
        (
            Packet::Suback(suback(&[1, 0x80])),
            V3,
            Server,
            b"\x90\x04\x00\x07\x01\x80",
        ),
        (unsubscribe(), V5, Client, b"\xa2\x06\x00\x08\x00\x00\x01a"),
        (unsubscribe(), V3, Client, b"\xa2\x05\x00\x08\x00\x01a"),
        (
            Packet::Unsuback(suback(&[0, 0x11])),
            V5,
            Server,
            b"\xb0\x05\x00\x07\x00\x00\x11",
        ),
        (Packet::Unsuback(suback(&[])), V3, Server, b"\xb0\x02\x00\x07"),
        (Packet::Pingreq, V5, Client, b"\xc0\x00"),
        (Packet::Pingresp, V3, Server, b"\xd0\x00"),
        (disconnect(success), V5, Client, b"\xe0\x00"),
        (disconnect(success), V3, Client, b"\xe0\x00"),
        (disconnect(ReasonCode::PROTOCOL_ERROR), V5, Client, b"\xe0\x01\x82"),
        (Packet::Auth(auth), V5, Client, b"\xf0\x06\x18\x04\x15\x00\x01m"),
    ]
}

#[test]
fn packets_are_written_and_read_as_the_specifications_draw_them() {
    for (packet, version, sender, bytes) in connects().into_iter().chain(drawn()) {
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
