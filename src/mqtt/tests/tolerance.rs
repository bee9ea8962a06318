//! Tests of unusual packets that are permitted, or that do not close the connection.

use super::*;

#[test]
fn unusual_but_allowed_packets_are_accepted() {
    // Each case ends with the PUBACK of packet 1, which must still arrive.
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
        ("a retained message without payload", publish(1, &[], &[], 0)),
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
        let (incoming, error) = receive(&[bytes, puback.clone()].concat());
        assert_eq!(error, None, "{what}");
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
    assert!(matches!(client.receive(puback(1)), Ok(Incoming::Acknowledged(1, _))));
    for ignored in 1..=3 {
        assert!(matches!(client.receive(puback(1)), Ok(Incoming::Nothing)));
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
        let (incoming, error) = receive(&bytes);
        assert_eq!(error, None, "{what}");
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
    let skipped = Packet::Oversize {
        packet_id: Some(8),
        topic: "t".into(),
        size: 150_000,
    };
    let mut output = BytesMut::new();
    client.receive(skipped).unwrap();
    client.acknowledge(8, ReasonCode::QUOTA_EXCEEDED, &mut output);
    client.acknowledge(8, ReasonCode::QUOTA_EXCEEDED, &mut output);
    assert_eq!(&output[..], b"\x40\x03\x00\x08\x97", "once, with this code");
}
