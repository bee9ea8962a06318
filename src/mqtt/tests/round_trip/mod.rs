//! Tests that each packet is unchanged after encoding and decoding, in both versions and from both sides.

mod client;
mod server;

use proptest::prelude::*;

use super::*;
use crate::messages::Properties;
use crate::mqtt::packet::Auth;

fn text() -> impl Strategy<Value = String> {
    "[a-zß€𝄞 ]{0,9}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z/ß$]{1,9}"
}

fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(vec![ProtocolVersion::V3_1_1, ProtocolVersion::V5])
}

fn qos() -> impl Strategy<Value = Qos> {
    prop::sample::select(vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce])
}

fn user() -> impl Strategy<Value = Property> {
    (text(), text()).prop_map(|(name, value)| Property::User(name, value))
}

/// Generates some of these properties, followed by user properties; none in MQTT 3.1.1.
fn some_of(single: Vec<Property>, version: ProtocolVersion) -> BoxedStrategy<Vec<Property>> {
    if version == ProtocolVersion::V3_1_1 {
        return Just(Vec::new()).boxed();
    }
    let count = single.len();
    (
        prop::sample::subsequence(single, 0..=count),
        prop::collection::vec(user(), 0..3),
    )
        .prop_map(|(mut all, user)| {
            all.extend(user);
            all
        })
        .boxed()
}

fn message_properties(version: ProtocolVersion) -> BoxedStrategy<Properties> {
    if version == ProtocolVersion::V3_1_1 {
        return Just(Properties::default()).boxed();
    }
    let option = prop::option::of::<BoxedStrategy<String>>;
    (
        option(text().boxed()),
        option(name().boxed()),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..5)),
        prop::option::of(0..2_u8),
        prop::option::of(any::<u32>()),
        prop::collection::vec((text(), text()), 0..3),
    )
        .prop_map(
            |(content_type, response_topic, correlation_data, indicator, expiry, user_properties)| Properties {
                content_type,
                response_topic,
                correlation_data,
                payload_format_indicator: indicator,
                message_expiry: expiry,
                user_properties,
            },
        )
        .boxed()
}

fn publish(version: ProtocolVersion) -> BoxedStrategy<Packet> {
    (
        any::<(bool, bool)>(),
        qos(),
        name(),
        1..=u16::MAX,
        prop::option::of(1..=u16::MAX),
        message_properties(version),
        prop::collection::vec(any::<u8>(), 0..200),
    )
        .prop_map(move |((dup, retain), qos, topic, id, alias, properties, payload)| {
            Packet::Publish(Publish {
                dup: dup && qos > Qos::AtMostOnce,
                qos,
                retain,
                topic,
                packet_id: (qos > Qos::AtMostOnce).then_some(id),
                topic_alias: alias.filter(|_| version == ProtocolVersion::V5),
                properties,
                payload: payload.into(),
                ..Publish::default()
            })
        })
        .boxed()
}

fn acknowledgement(version: ProtocolVersion) -> BoxedStrategy<Packet> {
    let code = prop::sample::select(vec![0x00, 0x10, 0x87]);
    let properties = some_of(vec![Property::ReasonString("no".into())], version);
    (0..4_u8, 1..=u16::MAX, code, properties)
        .prop_map(move |(kind, packet_id, code, properties)| {
            let code = match (version, kind) {
                (ProtocolVersion::V3_1_1, _) => 0,
                (_, 2 | 3) if code != 0 => 0x92,
                _ => code,
            };
            let one = Acknowledgement {
                packet_id,
                code: ReasonCode(code),
                properties,
            };
            match kind {
                0 => Packet::Puback(one),
                1 => Packet::Pubrec(one),
                2 => Packet::Pubrel(one),
                _ => Packet::Pubcomp(one),
            }
        })
        .boxed()
}

fn read_back(packet: &Packet, sender: Sender, version: ProtocolVersion) -> Result<Packet, ProtocolError> {
    let mut bytes = BytesMut::new();
    encode(&mut bytes, packet, version).unwrap();
    let first = bytes[0];
    let (_, length) = wire::variable(&bytes[1..], version)?.unwrap();
    let body = bytes.freeze().slice(1 + length..);
    decode(Frame::Packet { first, body }, sender, version)
}

proptest! {
    #[test]
    fn what_a_client_writes_is_read_back((version, packet) in version().prop_flat_map(|version| (Just(version), client::packets(version)))) {
        prop_assert_eq!(read_back(&packet, Sender::Client, version), Ok(packet));
    }

    #[test]
    fn what_a_server_writes_is_read_back((version, packet) in version().prop_flat_map(|version| (Just(version), server::packets(version)))) {
        prop_assert_eq!(read_back(&packet, Sender::Server, version), Ok(packet));
    }

    #[test]
    fn auth_is_read_back(code in prop::sample::select(vec![0x00, 0x18, 0x19]), method in text(), from_client in any::<bool>()) {
        let packet = Packet::Auth(Auth { code: ReasonCode(code), properties: vec![Property::AuthenticationMethod(method)] });
        let sender = if from_client { Sender::Client } else { Sender::Server };
        prop_assert_eq!(read_back(&packet, sender, ProtocolVersion::V5), Ok(packet));
    }

    #[test]
    fn any_bytes_are_a_named_protocol_error_or_a_packet_that_is_read_back(first in any::<u8>(), body in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..60), sides in any::<(bool, bool)>()) {
        let sender = if sides.0 { Sender::Client } else { Sender::Server };
        let version = if sides.1 { ProtocolVersion::V5 } else { ProtocolVersion::V3_1_1 };
        let frame = Frame::Packet { first, body: body.into() };
        match decode(frame, sender, version) {
            Ok(packet) => prop_assert_eq!(read_back(&packet, sender, version), Ok(packet)),
            Err(error) => prop_assert!(error.code.is_failure() && error.statement.starts_with("MQTT")),
        }
    }
}
