//! Tests of the codec with arbitrary bytes, and of encoding with decoding.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::frame::take_frame;
use super::properties::{Kind, Place, TABLE};
use super::subscribe::RETAIN_HANDLING;
use super::*;

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/äß雪]{1,20}"
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..64).prop_map(Bytes::from)
}

fn value(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
        Kind::U16 | Kind::NonZeroU16 => (1..=u16::MAX).prop_map(Value::U16).boxed(),
        Kind::U32 | Kind::NonZeroU32 => (1..=u32::MAX).prop_map(Value::U32).boxed(),
        Kind::NonZeroVarint => (1..=wire::MAX_VARINT).prop_map(Value::Varint).boxed(),
        Kind::Text => text().prop_map(Value::Text).boxed(),
        Kind::Binary => bytes().prop_map(Value::Binary).boxed(),
        Kind::Pair => (text(), text())
            .prop_map(|(name, value)| Value::Pair(name, value))
            .boxed(),
    }
}

fn properties(protocol: Protocol, place: Place) -> BoxedStrategy<Properties> {
    if protocol == Protocol::V311 {
        return Just(Properties::default()).boxed();
    }
    let allowed: Vec<_> = TABLE
        .iter()
        .filter(|(.., places)| places.contains(&place))
        .copied()
        .collect();
    let values: Vec<_> = allowed
        .into_iter()
        // The generated topics do not include empty ones, which an alias may stand for.
        .filter(|(id, ..)| *id != property::TOPIC_ALIAS)
        .map(|(id, kind, _)| option::of(value(kind).prop_map(move |value| (id, value))))
        .collect();
    values
        .prop_map(|values| Properties(values.into_iter().flatten().collect()))
        .boxed()
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn connect(protocol: Protocol) -> impl Strategy<Value = Packet> {
    let will = (qos(), any::<bool>(), properties(protocol, Place::Will), text(), bytes()).prop_map(
        |(qos, retain, properties, topic, payload)| Will {
            qos,
            retain,
            properties,
            topic,
            payload,
        },
    );
    let login = option::of((text(), option::of(bytes())));
    (
        any::<bool>(),
        any::<u16>(),
        properties(protocol, Place::Connect),
        text(),
        option::of(will),
        login,
    )
        .prop_map(move |(clean_start, keep_alive, properties, client_id, will, login)| {
            let (username, password) = login.map_or((None, None), |(name, password)| (Some(name), password));
            Packet::Connect(Connect {
                protocol,
                clean_start,
                keep_alive,
                properties,
                client_id,
                will,
                username,
                password,
            })
        })
}

fn publish(protocol: Protocol) -> impl Strategy<Value = Packet> {
    let parts = (
        any::<bool>(),
        qos(),
        any::<bool>(),
        text(),
        1..=u16::MAX,
        properties(protocol, Place::Publish),
        bytes(),
    );
    parts.prop_map(|(duplicate, qos, retain, topic, packet_id, properties, payload)| {
        let numbered = qos != QoS::AtMostOnce;
        let packet_id = if numbered { packet_id } else { 0 };
        Packet::Publish(Publish {
            duplicate: duplicate && numbered,
            qos,
            retain,
            topic,
            packet_id,
            properties,
            payload,
        })
    })
}

fn subscribe(protocol: Protocol) -> impl Strategy<Value = Packet> {
    let options = if protocol == Protocol::V5 { 0x3C } else { 0x00 };
    let filter = (text(), qos(), any::<u8>()).prop_map(move |(filter, qos, byte)| {
        let options = byte & options;
        let options = if options & RETAIN_HANDLING == RETAIN_HANDLING {
            options & !0x10
        } else {
            options
        };
        Filter { filter, qos, options }
    });
    (1..=u16::MAX, properties(protocol, Place::Subscribe), vec(filter, 1..9)).prop_map(
        |(packet_id, properties, filters)| {
            Packet::Subscribe(Subscribe {
                packet_id,
                properties,
                filters,
            })
        },
    )
}

fn suback(protocol: Protocol) -> impl Strategy<Value = Packet> {
    (
        1..=u16::MAX,
        properties(protocol, Place::Suback),
        vec(any::<u8>(), 0..9),
    )
        .prop_map(|(packet_id, properties, codes)| {
            Packet::Suback(Suback {
                packet_id,
                properties,
                codes,
            })
        })
}

fn acknowledgement(protocol: Protocol) -> impl Strategy<Value = Packet> {
    let code = if protocol == Protocol::V5 { 0..=255_u8 } else { 0..=0 };
    (1..=u16::MAX, code, properties(protocol, Place::Acknowledgement)).prop_map(|(packet_id, code, properties)| {
        Packet::Puback(Acknowledgement {
            packet_id,
            code,
            properties,
        })
    })
}

fn packet() -> impl Strategy<Value = (Protocol, Packet)> {
    prop_oneof![Just(Protocol::V311), Just(Protocol::V5)].prop_flat_map(|protocol| {
        let code = if protocol == Protocol::V5 { 0..=255_u8 } else { 0..=0 };
        let connack =
            (any::<bool>(), properties(protocol, Place::Connack)).prop_map(|(session_present, properties)| {
                Packet::Connack(Connack {
                    session_present,
                    code: 0,
                    properties,
                })
            });
        let disconnect = (code, properties(protocol, Place::Disconnect))
            .prop_map(|(code, properties)| Packet::Disconnect(Disconnect { code, properties }));
        prop_oneof![
            connect(protocol),
            connack,
            publish(protocol),
            subscribe(protocol),
            suback(protocol),
            acknowledgement(protocol),
            disconnect,
            Just(Packet::Pingreq),
            Just(Packet::Pingresp),
        ]
        .prop_map(move |packet| (protocol, packet))
    })
}

proptest! {
    #[test]
    fn every_packet_survives_the_wire((protocol, packet) in packet()) {
        let mut wire = BytesMut::from(&packet.encode(protocol)[..]);
        let frame = take_frame(&mut wire, usize::MAX).unwrap().unwrap();
        prop_assert!(wire.is_empty());
        prop_assert_eq!(Packet::decode(frame, protocol).unwrap(), packet);
    }

    #[test]
    fn no_bytes_panic_and_what_is_taken_is_taken_again(first: u8, body in vec(any::<u8>(), 0..200), v5: bool) {
        let protocol = if v5 { Protocol::V5 } else { Protocol::V311 };
        if let Ok(packet) = Packet::decode(Frame { first, body: body.into() }, protocol) {
            let mut wire = BytesMut::from(&packet.encode(protocol)[..]);
            let frame = take_frame(&mut wire, usize::MAX).unwrap().unwrap();
            prop_assert_eq!(Packet::decode(frame, protocol).unwrap(), packet);
        }
    }

    #[test]
    fn a_packet_with_a_flipped_byte_never_panics((protocol, packet) in packet(), at: prop::sample::Index, flip: u8) {
        let mut wire = BytesMut::from(&packet.encode(protocol)[..]);
        let at = at.index(wire.len());
        wire[at] ^= flip;
        if let Ok(Some(frame)) = take_frame(&mut wire, 1 << 20) {
            let _ = Packet::decode(frame, protocol);
        }
    }

    #[test]
    fn a_packet_cut_short_is_waited_for((protocol, packet) in packet(), at: prop::sample::Index) {
        let whole = packet.encode(protocol);
        let mut wire = BytesMut::from(&whole[..at.index(whole.len())]);
        prop_assert!(take_frame(&mut wire, usize::MAX).unwrap().is_none());
    }
}
