//! Packets that a client sends.

use super::*;
use crate::mqtt::packet::{
    Connect, Disconnect, RetainHandling, Subscribe, Subscription, SubscriptionOptions, Unsubscribe, Will,
};

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

pub(super) fn packets(version: ProtocolVersion) -> impl Strategy<Value = Packet> {
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
