//! Unusual packets that the specifications allow.

use super::*;

#[test]
fn odd_connects_are_accepted() {
    let will_5 = b"\x00\x02gw\x00\x00\x01w\x00\x00";
    let other_letters = [&[0, 9][..], "§ /+#€".as_bytes()].concat();
    let everything = [
        &b"\x00\x00\x0a\x18\x00\x00\x00\x01\x01\x01\x03\x00\x00"[..],
        b"\x00\x01w\x00\x00\x00\x00\x00\x00",
    ]
    .concat();
    for (what, bytes) in [
        (
            "a password without a user name (3.1.2.9)",
            connect(5, 0x42, &[], b"\x00\x02gw\x00\x01p"),
        ),
        (
            "an empty user name and password",
            connect(4, 0xc2, &[], b"\x00\x02gw\x00\x00\x00\x00"),
        ),
        ("a will without payload", connect(5, 0x06, &[], will_5)),
        (
            "a will with properties, an empty name and password",
            connect(5, 0xc6, &[], &everything),
        ),
        (
            "no client identifier with a session",
            connect(5, 0x00, &[], b"\x00\x00"),
        ),
        (
            "no client identifier with a clean session",
            connect(4, 0x02, &[], b"\x00\x00"),
        ),
        (
            "a client identifier of other letters",
            connect(5, 0x02, &[], &other_letters),
        ),
        (
            "user properties of the same name",
            connect(5, 0x02, &[0x26, 0, 1, b'a', 0, 0].repeat(3), b"\x00\x02gw"),
        ),
        (
            "a session expiry without end",
            connect(5, 0x00, b"\x11\xff\xff\xff\xff", b"\x00\x02gw"),
        ),
        (
            "topic aliases and response information",
            connect(5, 0x02, b"\x22\xff\xff\x19\x01", b"\x00\x02gw"),
        ),
        (
            "a Maximum Packet Size above all packets",
            connect(5, 0x02, b"\x27\xff\xff\xff\xff", b"\x00\x02gw"),
        ),
    ] {
        let mut link = Link::new();
        let action = link.receive(&bytes);
        assert!(matches!(action, Some(Action::Connect(_))), "{what}: {action:?}");
        link.server.accept(Acceptance::default(), link.now);
        assert!(link.sent().starts_with(&[0x20]), "{what}");
    }
}

#[test]
fn odd_packets_are_read() {
    let longest = "t".repeat(65_535);
    let long_topic = [&[0xff, 0xff][..], longest.as_bytes(), &[0]].concat();
    let full = vec![0; usize::try_from(MAX_PACKET).unwrap() - 8];
    for (what, bytes) in [
        ("a message without payload", packet(0x30, b"\x00\x01t\x00")),
        ("a retained message without payload", packet(0x31, b"\x00\x01t\x00")),
        ("the longest topic", packet(0x30, &long_topic)),
        (
            "the largest packet",
            packet(0x30, &[b"\x00\x01t\x00", &full[..]].concat()),
        ),
        ("a topic of a slash", packet(0x30, b"\x00\x01/\x00")),
        ("a topic of blanks", packet(0x30, b"\x00\x02  \x00")),
        ("a topic with $", packet(0x30, b"\x00\x04$aws\x00")),
        (
            "a message again that was never seen",
            packet(0x3a, b"\x00\x01t\x00\x09\x00"),
        ),
        (
            "properties in any order",
            packet(0x30, b"\x00\x01t\x0a\x03\x00\x00\x02\x00\x00\x00\x00\x01\x00"),
        ),
        ("a subscription at 2", packet(0x82, b"\x00\x01\x00\x00\x01a\x02")),
        (
            "the same filter twice",
            packet(0x82, b"\x00\x01\x00\x00\x01a\x00\x00\x01a\x01"),
        ),
        (
            "the largest identifier",
            packet(0x82, b"\x00\x01\x05\x0b\xff\xff\xff\x7f\x00\x01a\x00"),
        ),
        ("DISCONNECT in its long form", packet(0xe0, b"\x00\x00")),
        ("DISCONNECT with a reason", packet(0xe0, b"\x00\x04\x1f\x00\x01r")),
    ] {
        let mut link = Link::connected(V5);
        let action = link.receive(&bytes);
        let is_protocol_error =
            matches!(&action, Some(Action::Close(close)) if matches!(close.cause, CloseCause::Protocol(_)));
        assert!(action.is_some() && !is_protocol_error, "{what}: {action:?}");
    }
}

#[test]
fn each_form_of_puback_acknowledges() {
    for (bytes, code) in [
        (&b"\x40\x02\x00\x07"[..], 0),
        (b"\x40\x03\x00\x07\x00", 0),
        (b"\x40\x04\x00\x07\x10\x00", 0x10),
        (b"\x40\x08\x00\x07\x99\x04\x1f\x00\x01r", 0x99),
    ] {
        let acceptance = Acceptance {
            session_present: true,
            in_flight: vec![7],
            ..Acceptance::default()
        };
        let mut link = Link::accepted(&connect(5, 0, &[], b"\x00\x02gw"), acceptance);
        assert_eq!(link.receive(bytes), Some(Action::Acknowledged(7, ReasonCode(code))));
    }
}

#[test]
fn a_byte_order_mark_is_a_character_like_others() {
    // MQTT-1.5.4-3 and MQTT-1.5.3-3.
    for version in [V5, V3] {
        let mut body = b"\x00\x05\xef\xbb\xbfab".to_vec();
        body.extend((version == V5).then_some(0));
        match Link::connected(version).receive(&packet(0x30, &body)) {
            Some(Action::Publish(message)) => assert_eq!(message.topic, "\u{feff}ab"),
            other => panic!("{other:?}"),
        }
    }
}
