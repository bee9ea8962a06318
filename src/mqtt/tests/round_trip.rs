//! Each packet that can be written is read back as it was, in both versions and from both sides.

use proptest::prelude::*;

use super::*;
use crate::messages::Properties;
use crate::mqtt::packet::{
    Auth, Connack, Connect, Disconnect, RetainHandling, Subscribe, Subscription, SubscriptionOptions, Unsubscribe, Will,
};

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

/// Some of these properties, and user properties behind them; none in MQTT 3.1.1.
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

fn will(version: ProtocolVersion) -> impl Strategy<Value = Will> {
    (qos(), any::<bool>(), name(), any::<u32>(), message_properties(version)).prop_map(
        move |(qos, retain, topic, delay, properties)| Will {
            qos,
            retain,
            topic,
            payload: "off".into(),
            delay: if version == ProtocolVersion::V5 { delay } else { 0 },
            properties,
        },
    )
}

fn connect(version: ProtocolVersion) -> BoxedStrategy<Packet> {
    let properties = some_of(
        vec![
            Property::SessionExpiryInterval(u32::MAX),
            Property::ReceiveMaximum(1),
            Property::MaximumPacketSize(9),
            Property::TopicAliasMaximum(0),
            Property::RequestResponseInformation(true),
            Property::RequestProblemInformation(false),
            Property::AuthenticationMethod("m".into()),
        ],
        version,
    );
    (
        any::<(bool, bool, u16)>(),
        text(),
        prop::option::of(will(version)),
        prop::option::of(text()),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..4)),
        properties,
    )
        .prop_map(
            move |((bridge, clean_start, keep_alive), client_id, will, user_name, password, properties)| {
                let is_v3 = version == ProtocolVersion::V3_1_1;
                Packet::Connect(Box::new(Connect {
                    version,
                    bridge: bridge && is_v3,
                    clean_start: clean_start || (is_v3 && client_id.is_empty()),
                    keep_alive,
                    client_id,
                    will,
                    password: password.filter(|_| !is_v3 || user_name.is_some()).map(Password::new),
                    user_name,
                    properties,
                }))
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

fn request(version: ProtocolVersion) -> BoxedStrategy<Packet> {
    let filter = prop::sample::select(vec!["a", "a/+/b", "#", "$share/g/a", "/"]).prop_map(str::to_owned);
    let handling = prop::sample::select(vec![
        RetainHandling::Send,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    let options =
        (qos(), any::<(bool, bool)>(), handling).prop_map(move |(qos, flags, retain_handling)| match version {
            ProtocolVersion::V3_1_1 => SubscriptionOptions {
                qos,
                ..SubscriptionOptions::default()
            },
            ProtocolVersion::V5 => SubscriptionOptions {
                qos,
                no_local: flags.0,
                retain_as_published: flags.1,
                retain_handling,
            },
        });
    let subscription = (filter.clone(), options).prop_map(|(filter, mut options)| {
        options.no_local &= !filter.starts_with("$share/");
        Subscription { filter, options }
    });
    let identifier = some_of(vec![Property::SubscriptionIdentifier(268_435_455)], version);
    let subscribe = (1..=u16::MAX, prop::collection::vec(subscription, 1..4), identifier).prop_map(
        |(packet_id, subscriptions, properties)| {
            Packet::Subscribe(Subscribe {
                packet_id,
                subscriptions,
                properties,
            })
        },
    );
    let unsubscribe = (
        1..=u16::MAX,
        prop::collection::vec(filter, 1..4),
        some_of(Vec::new(), version),
    )
        .prop_map(|(packet_id, filters, properties)| {
            Packet::Unsubscribe(Unsubscribe {
                packet_id,
                filters,
                properties,
            })
        });
    prop_oneof![subscribe, unsubscribe].boxed()
}

fn from_client(version: ProtocolVersion) -> impl Strategy<Value = Packet> {
    let disconnect = match version {
        ProtocolVersion::V3_1_1 => (Just(0), some_of(Vec::new(), version)).boxed(),
        ProtocolVersion::V5 => (
            prop::sample::select(vec![0x00, 0x04, 0x99]),
            some_of(
                vec![Property::SessionExpiryInterval(1), Property::ReasonString("r".into())],
                version,
            ),
        )
            .boxed(),
    };
    let disconnect = disconnect.prop_map(|(code, properties)| {
        let code = ReasonCode(code);
        Packet::Disconnect(Disconnect { code, properties })
    });
    prop_oneof![
        connect(version),
        publish(version),
        acknowledgement(version),
        request(version),
        Just(Packet::Pingreq),
        disconnect,
    ]
}

fn from_server(version: ProtocolVersion) -> impl Strategy<Value = Packet> {
    let connack_properties = some_of(
        vec![
            Property::SessionExpiryInterval(0),
            Property::ReceiveMaximum(u16::MAX),
            Property::MaximumQos(Qos::AtLeastOnce),
            Property::RetainAvailable(false),
            Property::MaximumPacketSize(u32::MAX),
            Property::AssignedClientIdentifier("c".into()),
            Property::TopicAliasMaximum(8),
            Property::ReasonString("r".into()),
            Property::WildcardSubscriptionAvailable(false),
            Property::SubscriptionIdentifierAvailable(true),
            Property::SharedSubscriptionAvailable(false),
            Property::ServerKeepAlive(0),
            Property::ResponseInformation("i".into()),
            Property::ServerReference("s".into()),
            Property::AuthenticationMethod("m".into()),
            Property::AuthenticationData(Password::new(vec![1, 2])),
        ],
        version,
    );
    let connack = (
        any::<bool>(),
        prop::sample::select(vec![0x00, 0x84, 0x85, 0x87]),
        connack_properties,
    )
        .prop_map(|(session_present, code, properties)| {
            Packet::Connack(Connack {
                session_present: session_present && code == 0,
                code: ReasonCode(code),
                properties,
            })
        });
    let codes = |most| prop::collection::vec(prop::sample::select(vec![0x00, most, 0x80]), 1..4);
    let answers = (
        1..=u16::MAX,
        codes(2),
        some_of(vec![Property::ReasonString("r".into())], version),
    );
    let answers = (any::<bool>(), answers).prop_map(move |(is_suback, (packet_id, codes, properties))| {
        let codes = codes.into_iter().map(ReasonCode);
        let mut answer = Suback {
            packet_id,
            codes: codes.collect(),
            properties,
        };
        match is_suback {
            true => Packet::Suback(answer),
            false => {
                if version == ProtocolVersion::V3_1_1 {
                    answer.codes.clear();
                }
                Packet::Unsuback(answer)
            }
        }
    });
    prop_oneof![
        connack,
        answers,
        publish(version),
        acknowledgement(version),
        Just(Packet::Pingresp)
    ]
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
    fn what_a_client_writes_is_read_back((version, packet) in version().prop_flat_map(|version| (Just(version), from_client(version)))) {
        prop_assert_eq!(read_back(&packet, Sender::Client, version), Ok(packet));
    }

    #[test]
    fn what_a_server_writes_is_read_back((version, packet) in version().prop_flat_map(|version| (Just(version), from_server(version)))) {
        prop_assert_eq!(read_back(&packet, Sender::Server, version), Ok(packet));
    }

    #[test]
    fn auth_is_read_back(code in prop::sample::select(vec![0x00, 0x18, 0x19]), method in text(), from_client in any::<bool>()) {
        let packet = Packet::Auth(Auth { code: ReasonCode(code), properties: vec![Property::AuthenticationMethod(method)] });
        let sender = if from_client { Sender::Client } else { Sender::Server };
        prop_assert_eq!(read_back(&packet, sender, ProtocolVersion::V5), Ok(packet));
    }

    #[test]
    fn any_bytes_are_a_packet_or_a_named_breach(first in any::<u8>(), body in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..60), sides in any::<(bool, bool)>()) {
        let sender = if sides.0 { Sender::Client } else { Sender::Server };
        let version = if sides.1 { ProtocolVersion::V5 } else { ProtocolVersion::V3_1_1 };
        let frame = Frame::Packet { first, body: body.into() };
        if let Err(breach) = decode(frame, sender, version) {
            prop_assert!(breach.code.is_failure() && breach.statement.starts_with("MQTT"));
        }
    }
}
