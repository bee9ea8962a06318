//! Packets of every type with their encoded bytes.

use super::*;
use crate::mqtt::Password;
use crate::mqtt::packet::{Connect, Disconnect, Will};

/// A packet, its version, the side that sends it, and its bytes.
type Case = (Packet, ProtocolVersion, Sender, &'static [u8]);

pub(super) fn cases() -> impl Iterator<Item = Case> {
    connects().into_iter().chain(others())
}

fn connects() -> Vec<Case> {
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

fn others() -> Vec<Case> {
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
