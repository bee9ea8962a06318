//! Packets that a server sends.

use super::*;
use crate::mqtt::packet::Connack;

pub(super) fn packets(version: ProtocolVersion) -> impl Strategy<Value = Packet> {
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
