//! A server that keeps to the protocol and one that does not, against the client's side.

use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::time::Instant;

use super::decode::{MAX_USER_PROPERTIES, Packet, decode};
use super::*;
use crate::messages::Message;

/// Feeds `bytes` to a client that has published, subscribed and unsubscribed once (packet identifiers 1, 2 and 3), up to
/// the first breach.
fn receive(bytes: &[u8]) -> (Vec<Incoming>, Option<ProtocolError>) {
    let mut client = busy_client();
    let (mut framer, mut input) = (Framer::default(), BytesMut::new());
    let mut incoming = Vec::new();
    // In pieces, as a network delivers them.
    for piece in bytes.chunks(1000) {
        input.extend_from_slice(piece);
        loop {
            let next = framer.next(&mut input).and_then(|frame| match frame {
                Some(frame) => client.receive(decode(frame, "gw")?).map(Some),
                None => Ok(None),
            });
            match next {
                Ok(Some(one)) => incoming.push(one),
                Ok(None) => break,
                Err(error) => return (incoming, Some(error)),
            }
        }
        assert!(input.len() <= MAX_PACKET as usize + 1000, "what waits is bounded");
    }
    (incoming, None)
}

fn busy_client() -> Client {
    let mut client = Client::new(ServerLimits::default());
    let mut output = BytesMut::new();
    let message = Message {
        topic: "t".into(),
        ..Message::default()
    };
    assert_eq!(client.publish(&message, true, &mut output), Ok(Some(1)));
    assert_eq!(
        client.subscribe(&[("a".into(), 1), ("b".into(), 0)], &mut output),
        Ok(2)
    );
    assert_eq!(client.unsubscribe(&["c".into()], &mut output), Ok(3));
    client
}

/// PUBLISH on `t` with these flags, packet identifier where there is one, properties and payload.
fn publish(flags: u8, packet_id: &[u8], properties: &[u8], payload: usize) -> Vec<u8> {
    let mut body = b"\x00\x01t".to_vec();
    body.extend_from_slice(packet_id);
    let mut length = BytesMut::new();
    wire::put_variable(&mut length, properties.len());
    body.extend_from_slice(&length);
    body.extend_from_slice(properties);
    body.resize(body.len() + payload, b'x');
    packet(0x30 | flags, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::from(&[first][..]);
    wire::put_variable(&mut bytes, body.len());
    bytes.extend_from_slice(body);
    bytes.to_vec()
}

#[test]
fn each_breach_ends_the_connection_and_names_its_statement() {
    let two_at_qos_2 = [publish(4, &[0, 0], &[], 1), publish(4, &[0, 0], &[], 1)].concat();
    let connack = packet(0x20, &[0, 0, 0]);
    let many: Vec<u8> = (1..=201_u16)
        .flat_map(|id| publish(2, &id.to_be_bytes(), &[], 1))
        .collect();
    let cases: Vec<(&str, Vec<u8>, u8, &str)> = vec![
        ("two QoS 2 with packet identifier 0", two_at_qos_2, 0x82, "MQTT-3.8.4-8"),
        (
            "QoS 1 with packet identifier 0",
            publish(2, &[0, 0], &[], 1),
            0x82,
            "MQTT-2.2.1-4",
        ),
        ("QoS 2", publish(4, &[0, 1], &[], 1), 0x82, "MQTT-3.8.4-8"),
        ("QoS 3", publish(6, &[0, 1], &[], 1), 0x81, "MQTT-3.3.1-4"),
        ("DUP at QoS 0", publish(8, &[], &[], 1), 0x81, "MQTT-3.3.1-2"),
        ("a second CONNACK", connack, 0x82, "MQTT-3.2.0-2"),
        (
            "CONNACK with reserved flags",
            packet(0x20, &[2, 0, 0]),
            0x81,
            "MQTT-3.2.2-1",
        ),
        (
            "CONNECT",
            packet(0x10, b"\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00"),
            0x82,
            "MQTT 5.0, 2.1.2",
        ),
        (
            "SUBSCRIBE",
            packet(0x82, b"\x00\x01\x00\x00\x01a\x00"),
            0x82,
            "MQTT 5.0, 2.1.2",
        ),
        (
            "UNSUBSCRIBE",
            packet(0xa2, b"\x00\x01\x00\x00\x01a"),
            0x82,
            "MQTT 5.0, 2.1.2",
        ),
        ("PINGREQ", packet(0xc0, &[]), 0x82, "MQTT 5.0, 2.1.2"),
        ("AUTH", packet(0xf0, &[0x18, 0]), 0x82, "MQTT-4.12.0-6"),
        ("type 0", packet(0x00, &[]), 0x81, "MQTT 5.0, 2.1.2"),
        ("PUBREC", packet(0x50, &[0, 1]), 0x82, "MQTT 5.0, 4.3.3"),
        ("PUBREL", packet(0x62, &[0, 1]), 0x82, "MQTT 5.0, 4.3.3"),
        ("PUBCOMP", packet(0x70, &[0, 1]), 0x82, "MQTT 5.0, 4.3.3"),
        (
            "PUBACK with reserved flags",
            packet(0x42, &[0, 1]),
            0x81,
            "MQTT-2.1.3-1",
        ),
        (
            "PUBACK with packet identifier 0",
            packet(0x40, &[0, 0]),
            0x82,
            "MQTT-2.2.1-5",
        ),
        (
            "SUBACK with packet identifier 0",
            packet(0x90, &[0, 0, 0, 0]),
            0x82,
            "MQTT-2.2.1-6",
        ),
        (
            "UNSUBACK with packet identifier 0",
            packet(0xb0, &[0, 0, 0, 0]),
            0x82,
            "MQTT-2.2.1-6",
        ),
        ("PUBACK of one byte", packet(0x40, &[1]), 0x81, "MQTT 5.0, 2.1.4"),
        (
            "PUBACK with bytes after its end",
            packet(0x40, &[0, 1, 0, 0, 9]),
            0x81,
            "MQTT 5.0, 2.1.4",
        ),
        (
            "PUBACK with an unknown property",
            packet(0x40, &[0, 1, 0, 2, 0x7e, 0]),
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "SUBACK with one code for two filters",
            packet(0x90, &[0, 2, 0, 0]),
            0x82,
            "MQTT-3.8.4-6",
        ),
        (
            "UNSUBACK with two codes for one filter",
            packet(0xb0, &[0, 3, 0, 0, 0]),
            0x82,
            "MQTT-3.11.3-2",
        ),
        ("PINGRESP with a body", packet(0xd0, &[0]), 0x81, "MQTT 5.0, 2.1.4"),
        ("PINGRESP with reserved flags", packet(0xd1, &[]), 0x81, "MQTT-2.1.3-1"),
        (
            "DISCONNECT with session expiry",
            packet(0xe0, &[0, 5, 0x11, 0, 0, 0, 0]),
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "a length of five bytes",
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
            0x81,
            "MQTT 5.0, 1.5.5",
        ),
        (
            "a length in more bytes than needed",
            vec![0xd0, 0x80, 0x00],
            0x81,
            "MQTT-1.5.5-1",
        ),
        (
            "a large packet that is no message",
            vec![0x40, 0xff, 0xff, 0x7f],
            0x95,
            "MQTT-3.1.2-24",
        ),
        (
            "a message of 256 MiB",
            vec![0x30, 0xff, 0xff, 0xff, 0x7f],
            0x95,
            "MQTT-3.1.2-24",
        ),
        ("more unacknowledged than allowed", many, 0x93, "MQTT-3.3.4-9"),
        (
            "a topic with a wildcard",
            packet(0x30, b"\x00\x03a/#\x00"),
            0x90,
            "MQTT-3.3.2-2",
        ),
        (
            "a topic that is not UTF-8",
            packet(0x30, b"\x00\x01\xff\x00"),
            0x81,
            "MQTT-1.5.4-1",
        ),
        (
            "a topic with U+0000",
            packet(0x30, b"\x00\x01\x00\x00"),
            0x81,
            "MQTT-1.5.4-2",
        ),
        ("no topic", packet(0x30, b"\x00\x00\x00"), 0x82, "MQTT 5.0, 3.3.2.1"),
        (
            "a topic beyond the end",
            packet(0x30, b"\x00\x09t\x00"),
            0x81,
            "MQTT 5.0, 2.1.4",
        ),
        (
            "a topic alias",
            publish(0, &[], &[0x23, 0, 1], 1),
            0x94,
            "MQTT-3.1.2-27",
        ),
        ("topic alias 0", publish(0, &[], &[0x23, 0, 0], 1), 0x94, "MQTT-3.3.2-8"),
        (
            "an unknown property",
            publish(0, &[], &[0x7f, 0], 1),
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "a property of another packet",
            publish(0, &[], &[0x21, 0, 9], 1),
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "a property twice",
            publish(0, &[], &[1, 1, 1, 1], 1),
            0x82,
            "MQTT 5.0, 2.2.2.2",
        ),
        ("a flag of 2", publish(0, &[], &[1, 2], 1), 0x82, "MQTT 5.0, 2.2.2"),
        (
            "subscription identifier 0",
            publish(0, &[], &[0x0b, 0], 1),
            0x82,
            "MQTT 5.0, 2.2.2",
        ),
        (
            "user property not UTF-8",
            publish(0, &[], b"\x26\x00\x01\xc0\x00\x00", 1),
            0x81,
            "MQTT-1.5.4-1",
        ),
        (
            "response topic with a wildcard",
            publish(0, &[], b"\x08\x00\x01#", 1),
            0x81,
            "MQTT-3.3.2-14",
        ),
        (
            "properties beyond the end",
            packet(0x30, b"\x00\x01t\x09\x01"),
            0x81,
            "MQTT 5.0, 2.1.4",
        ),
    ];
    // Those that a client may send in DISCONNECT (MQTT 5.0, table 3-13).
    let of_clients = [0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x97, 0x99];
    for (what, bytes, code, statement) in cases {
        let (_, breach) = receive(&bytes);
        let breach = breach.unwrap_or_else(|| panic!("{what} is no breach"));
        assert_eq!((breach.code.0, breach.statement), (code, statement), "{what}");
        assert!(of_clients.contains(&breach.code.0), "{what}");
    }
}

#[test]
fn what_is_odd_and_allowed_is_borne() {
    // Everything ends with the PUBACK of packet 1, which must still arrive.
    let puback = packet(0x40, &[0, 1]);
    let user = [0x26, 0, 0, 0, 0].repeat(MAX_USER_PROPERTIES);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("PUBACK for an unknown packet identifier", packet(0x40, &[9, 9])),
        ("PUBACK for a SUBSCRIBE", packet(0x40, &[0, 2])),
        ("SUBACK for a message", packet(0x90, &[0, 1, 0, 0])),
        ("SUBACK for an unknown packet identifier", packet(0x90, &[9, 9, 0, 0])),
        ("UNSUBACK for an unknown packet identifier", packet(0xb0, &[9, 9, 0, 0])),
        ("PINGRESP that nobody asked for", packet(0xd0, &[])),
        (
            "the same message twice",
            [publish(2, &[0, 7], &[], 3), publish(10, &[0, 7], &[], 3)].concat(),
        ),
        ("a message without payload", publish(2, &[0, 7], &[], 0)),
        ("all user properties that are taken", publish(0, &[], &user, 1)),
        ("two subscription identifiers", publish(0, &[], &[0x0b, 1, 0x0b, 2], 1)),
        (
            "a message of the greatest size",
            publish(0, &[], &[], MAX_PACKET as usize - 8),
        ),
        (
            "SUBACK with reason and a code of failure",
            packet(0x90, &[0, 2, 4, 0x1f, 0, 1, b'w', 1, 0x87]),
        ),
    ];
    for (what, bytes) in cases {
        let (incoming, breach) = receive(&[bytes, puback.clone()].concat());
        assert_eq!(breach, None, "{what}");
        assert!(matches!(incoming.last(), Some(Incoming::Acknowledged(1, _))), "{what}");
    }
    // Short and long forms of PUBACK (MQTT 5.0, 3.4.2).
    for (body, code) in [
        (&[0, 1][..], 0),
        (&[0, 1, 0x10], 0x10),
        (&[0, 1, 0x87, 0], 0x87),
        (&[0, 1, 0xf7, 4, 0x1f, 0, 1, b'w'], 0xf7),
    ] {
        let (incoming, _) = receive(&packet(0x40, body));
        assert!(matches!(&incoming[..], [Incoming::Acknowledged(1, reason)] if reason.code == ReasonCode(code)));
    }
}

#[test]
fn an_acknowledgement_counts_once() {
    let mut client = busy_client();
    let puback = || {
        Packet::Puback(
            1,
            Reason {
                code: ReasonCode::SUCCESS,
                words: None,
            },
        )
    };
    assert!(matches!(client.receive(puback()), Ok(Incoming::Acknowledged(1, _))));
    for ignored in 1..=3 {
        assert!(matches!(client.receive(puback()), Ok(Incoming::Nothing)));
        assert_eq!(client.ignored(), ignored);
    }
}

#[test]
fn a_message_that_is_too_large_is_skipped_and_refused_in_its_turn() {
    let user = [0x26, 0, 0, 0, 0].repeat(MAX_USER_PROPERTIES + 1);
    let cases = [
        ("bytes", publish(2, &[0, 8], &[], MAX_PACKET as usize), "are taken"),
        ("user properties", publish(2, &[0, 8], &user, 1), "1024 are taken"),
    ];
    for (what, large, words) in cases {
        let bytes = [publish(2, &[0, 7], &[], 1), large, publish(2, &[0, 9], &[], 1)].concat();
        let (incoming, breach) = receive(&bytes);
        assert_eq!(breach, None, "{what}");
        let [
            Incoming::Message(Some(7), _),
            Incoming::Skipped(Some(8), topic, why),
            Incoming::Message(Some(9), _),
        ] = &incoming[..]
        else {
            panic!("{what}: {incoming:?}");
        };
        assert!(topic == "t" && why.contains(words), "{what}: {why}");
    }
    let mut client = Client::new(ServerLimits::default());
    let skipped = Packet::Untakeable {
        packet_id: Some(8),
        topic: "t".into(),
        why: "large".into(),
    };
    let mut output = BytesMut::new();
    client.receive(skipped).unwrap();
    client.acknowledge(8, &mut output);
    client.acknowledge(8, &mut output);
    assert_eq!(&output[..], b"\x40\x03\x00\x08\x97", "once, as quota exceeded");
}

#[test]
fn what_connack_says_is_kept_to() {
    let connack = |body: &[u8]| {
        let mut input = BytesMut::from(&packet(0x20, body)[..]);
        let frame = Framer::default().next(&mut input)?.unwrap();
        decode(frame, "gw")
    };
    let limits = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        match connack(&[&[0, 0, length], properties].concat()) {
            Ok(Packet::Accepted(limits)) => limits,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(limits(&[]), ServerLimits::default());
    let all = limits(
        b"\x21\x00\x02\x27\x00\x00\x00\x40\x24\x00\x25\x00\x28\x00\x2a\x00\x13\x00\x1e\x12\x00\x02gw\x22\x00\x08",
    );
    assert_eq!(
        (all.receive_maximum, all.maximum_packet_size, all.maximum_qos),
        (2, 64, 0)
    );
    assert_eq!(all.keep_alive, Some(Duration::from_secs(30)));
    assert!(all.filter_refusal("$share/g/a").is_some() && all.filter_refusal("a/+").is_some());
    assert_eq!(all.filter_refusal("a/b"), None);
    assert_eq!(limits(&[0x13, 0, 0]).keep_alive, None);

    let message = |payload: usize, retain| Message {
        topic: "t".into(),
        payload: vec![0; payload].into(),
        retain,
        ..Message::default()
    };
    let mut output = BytesMut::new();
    let mut client = Client::new(all);
    assert_eq!(
        client.publish(&message(1, false), true, &mut output),
        Err(NotSent::AtMostOnceOnly)
    );
    assert!(matches!(
        client.publish(&message(1, true), false, &mut output),
        Err(NotSent::Never(_))
    ));
    let Err(NotSent::Never(why)) = client.publish(&message(64, false), false, &mut output) else {
        panic!("larger than the broker takes");
    };
    assert_eq!(
        why,
        "its packet has 72 bytes, and the broker takes packets of at most 64 bytes"
    );
    assert!(matches!(
        client.subscribe(&[("x".repeat(64), 1)], &mut output),
        Err(NotSent::Never(_))
    ));
    assert!(output.is_empty());
    assert_eq!(client.publish(&message(1, false), false, &mut output), Ok(None));
    let mut client = Client::new(ServerLimits { maximum_qos: 1, ..all });
    for _ in 0..2 {
        assert!(client.publish(&message(1, false), true, &mut output).is_ok());
    }
    assert_eq!(
        client.publish(&message(1, false), true, &mut output),
        Err(NotSent::Busy)
    );
    assert!(!client.has_room());

    for (body, statement) in [
        (&b"\x00\x00\x06\x12\x00\x03gw2"[..], "MQTT 5.0, 3.2.2.3.7"),
        (b"\x01\x87\x00", "MQTT-3.2.2-6"),
        (b"\x00\x10\x00", "MQTT-3.2.2-8"),
        (b"\x00\x00\x03\x21\x00\x00", "MQTT 5.0, 2.2.2"),
        (b"\x00\x00\x05\x27\x00\x00\x00\x00", "MQTT 5.0, 2.2.2"),
        (b"\x00\x00\x02\x24\x02", "MQTT 5.0, 2.2.2"),
        (b"\x00\x00\x04\x15\x00\x01x", "MQTT-4.12.0-6"),
        (b"\x00\x00\x03\x23\x00\x01", "MQTT 5.0, 2.2.2.2"),
    ] {
        assert_eq!(connack(body).unwrap_err().statement, statement, "{body:02x?}");
    }
    let Ok(Packet::Refused(reason)) = connack(b"\x00\x84\x04\x1f\x00\x01w") else {
        panic!("refused");
    };
    assert_eq!(reason.to_string(), "unsupported protocol version (0x84): w");
}

#[test]
fn what_is_received_decides_whether_the_server_is_there() {
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    // A program publishes each second; nothing comes back.
    let mut liveness = Liveness::new(Duration::from_secs(60), begun);
    let mut pinged = Vec::new();
    for second in 1..=90 {
        liveness.sent(at(second));
        match liveness.overdue(None, at(second)) {
            Some(Overdue::Ping) => {
                pinged.push(second);
                liveness.pinged(at(second));
            }
            other => assert_eq!(other, (second == 90).then_some(Overdue::Silent), "{second}"),
        }
    }
    assert_eq!(pinged, [60], "asked once, though something was sent all the time");

    // Messages come all the time, and nothing is sent: the server must hear of us as well.
    let mut liveness = Liveness::new(Duration::from_secs(60), begun);
    liveness.received(at(59));
    assert_eq!(liveness.overdue(None, at(59)), None);
    assert_eq!(liveness.overdue(None, at(60)), Some(Overdue::Ping));
    liveness.pinged(at(60));
    liveness.received(at(61));
    liveness.answered(at(61));
    assert_eq!(liveness.overdue(None, at(62)), None);
    assert_eq!(liveness.deadline(None), at(120));

    // The server answers PINGREQ, and never what was sent at 10 s.
    let (mut liveness, sent) = (Liveness::new(Duration::from_secs(600), begun), Some(at(10)));
    assert_eq!(liveness.deadline(sent), at(40));
    assert_eq!(liveness.overdue(sent, at(39)), None);
    assert_eq!(liveness.overdue(sent, at(40)), Some(Overdue::Ping));
    liveness.pinged(at(40));
    assert_eq!(
        liveness.overdue(sent, at(200)),
        None,
        "what it has not read it cannot answer"
    );
    liveness.received(at(200));
    liveness.answered(at(200));
    assert_eq!(liveness.deadline(sent), at(230));
    assert_eq!(liveness.overdue(sent, at(229)), None);
    assert_eq!(liveness.overdue(sent, at(230)), Some(Overdue::Unanswered));
    assert_eq!(
        liveness.overdue(Some(at(201)), at(230)),
        None,
        "it was answered, and a younger one has time"
    );
    // A PINGRESP that nobody asked for proves nothing.
    let mut liveness = Liveness::new(Duration::from_secs(600), begun);
    liveness.answered(at(11));
    assert_eq!(liveness.overdue(sent, at(100)), Some(Overdue::Ping));
}

#[test]
fn a_server_that_does_not_answer_pingreq_is_given_up_whatever_it_sends() {
    // Each second: bytes of a packet that never ends, or a whole packet.
    type Sends = fn(&mut Liveness, u64, Instant);
    let cases: [(&str, Sends, u64, Overdue); 7] = [
        ("nothing", |_, _, _| {}, 90, Overdue::Silent),
        (
            "a byte each second",
            |it, _, now| it.received_bytes(1, now),
            90,
            Overdue::Silent,
        ),
        (
            "a byte every ten seconds",
            |it, second, now| {
                if second % 10 == 0 {
                    it.received_bytes(1, now)
                }
            },
            90,
            Overdue::Silent,
        ),
        (
            "a slow large packet",
            |it, _, now| it.received_bytes(100, now),
            360,
            Overdue::PingUnanswered,
        ),
        ("packets", |it, _, now| it.received(now), 360, Overdue::PingUnanswered),
        (
            "a packet a minute",
            |it, second, now| {
                if second % 60 == 59 {
                    it.received(now)
                }
            },
            360,
            Overdue::PingUnanswered,
        ),
        (
            "packets for a minute",
            |it, second, now| {
                if second <= 60 {
                    it.received(now)
                }
            },
            150,
            Overdue::Silent,
        ),
    ];
    let begun = Instant::now();
    for (name, sends, end, expected) in cases {
        let mut liveness = Liveness::new(Duration::from_secs(60), begun);
        let mut pings = Vec::new();
        let ended = (1..100_000).find_map(|second| {
            let now = begun + Duration::from_secs(second);
            sends(&mut liveness, second, now);
            let overdue = liveness.overdue(None, now)?;
            assert!(liveness.deadline(None) <= now, "{name}");
            if overdue != Overdue::Ping {
                return Some((second, overdue));
            }
            pings.push(second);
            liveness.pinged(now);
            None
        });
        assert_eq!(ended, Some((end, expected)), "{name}");
        let due: Vec<u64> = (60..end).step_by(60).collect();
        assert_eq!(pings, due, "{name}: MQTT-3.1.2-20");
    }
}

#[test]
fn each_pingresp_answers_the_oldest_pingreq() {
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    let mut liveness = Liveness::new(Duration::from_secs(100), begun);
    liveness.pinged(at(20));
    liveness.pinged(at(40));
    for (received, proven) in [(41, None), (61, Some(91))] {
        liveness.received(at(received));
        liveness.answered(at(received));
        assert_eq!(liveness.overdue(Some(at(30)), at(90)), None, "{received}");
        let overdue = liveness.overdue(Some(at(30)), at(91));
        assert_eq!(overdue, proven.map(|_| Overdue::Unanswered), "{received}");
    }
}

#[test]
fn a_change_of_the_network_wants_a_sign_of_life() {
    let begun = Instant::now();
    let at = |milliseconds: u64| begun + Duration::from_millis(milliseconds);
    let doubtful = || {
        let mut liveness = Liveness::new(Duration::from_secs(60), begun);
        liveness.pinged(at(10_000));
        liveness.doubt(at(10_000));
        liveness
    };
    let liveness = doubtful();
    assert_eq!(liveness.deadline(None), at(12_500));
    assert_eq!(liveness.overdue(None, at(12_400)), None);
    assert_eq!(liveness.overdue(None, at(12_500)), Some(Overdue::Stale));
    // Any byte is one.
    let mut liveness = doubtful();
    liveness.received_bytes(1, at(11_000));
    assert_eq!(liveness.overdue(None, at(12_500)), None);
    let mut liveness = doubtful();
    liveness.received(at(11_000));
    assert_eq!(liveness.overdue(None, at(12_500)), None);
    // The address follows the link, and each has its time.
    let mut liveness = doubtful();
    liveness.doubt(at(12_000));
    assert_eq!(liveness.overdue(None, at(14_400)), None);
    assert_eq!(liveness.overdue(None, at(14_500)), Some(Overdue::Stale));
}

/// A packet that is right, nearly right, or just bytes.
fn server_bytes() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..40);
    prop_oneof![
        4 => (any::<u8>(), body.clone()).prop_map(|(first, body)| packet(first, &body)),
        4 => (0..16_u8, 0..4_u16, body.clone())
            .prop_map(|(flags, id, properties)| publish(flags, &id.to_be_bytes(), &properties, 5)),
        2 => (prop::sample::select(vec![0x40_u8, 0x90, 0xb0]), 0..5_u16, body.clone())
            .prop_map(|(first, id, rest)| packet(first, &[&id.to_be_bytes()[..], &rest].concat())),
        1 => prop::sample::select(vec![packet(0x20, &[0, 0, 0]), packet(0xd0, &[]), packet(0xe0, &[])]),
        1 => body,
    ]
}

proptest! {
    #[test]
    fn whatever_a_server_sends_ends_in_events_or_a_named_breach(packets in prop::collection::vec(server_bytes(), 0..40)) {
        let bytes = packets.concat();
        let (incoming, breach) = receive(&bytes);
        // No event comes from nothing: the smallest packet has two bytes.
        prop_assert!(incoming.len() <= bytes.len() / 2);
        if let Some(breach) = breach {
            prop_assert!(breach.statement.starts_with("MQTT") && breach.code.is_failure());
        }
    }

    #[test]
    fn pieces_of_any_size_are_read_alike(packets in prop::collection::vec(server_bytes(), 0..20), size in 1..7_usize) {
        let bytes = packets.concat();
        let read = |size: usize| {
            let (mut framer, mut input, mut frames) = (Framer::default(), BytesMut::new(), Vec::new());
            for piece in bytes.chunks(size) {
                input.extend_from_slice(piece);
                loop {
                    match framer.next(&mut input) {
                        Ok(Some(frame)) => frames.push(frame),
                        Ok(None) => break,
                        Err(error) => return (frames, Some(error)),
                    }
                }
            }
            (frames, None)
        };
        prop_assert_eq!(read(size), read(bytes.len().max(1)));
    }

    #[test]
    fn the_client_survives_any_order_of_its_own_calls(calls in prop::collection::vec((0..6_u8, 0..6_u16), 0..200)) {
        let mut client = Client::new(ServerLimits { receive_maximum: 3, ..ServerLimits::default() });
        let mut output = BytesMut::new();
        let success = || Reason { code: ReasonCode::SUCCESS, words: None };
        for (call, id) in calls {
            let message = Message { topic: "t".into(), ..Message::default() };
            let _ = match call {
                0 => client.publish(&message, true, &mut output).is_ok(),
                1 => client.subscribe(&[("a".into(), 1)], &mut output).is_ok(),
                2 => client.receive(Packet::Puback(id, success())).is_ok(),
                3 => client.receive(Packet::Suback(id, vec![ReasonCode(0)], None)).is_ok(),
                4 => {
                    let message = crate::messages::Received::default();
                    client.receive(Packet::Publish { packet_id: Some(id + 1), message }).is_ok()
                }
                _ => { client.acknowledge(id, &mut output); true }
            };
            prop_assert!(client.has_room() || client.oldest().is_some());
        }
    }
}
