//! Protocol errors: each ends the connection with its reason code and names its statement.

use super::*;

#[test]
fn each_protocol_error_ends_the_connection_and_names_its_statement() {
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
            "SUBACK with a code of another packet",
            packet(0x90, &[0, 2, 0, 3, 0x10]),
            0x81,
            "MQTT-3.9.3-2",
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
            "a large packet that is not a message",
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
    // The codes that a client may send in DISCONNECT (MQTT 5.0, table 3-13).
    let of_clients = [0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x97, 0x99];
    for (what, bytes, code, statement) in cases {
        let (_, error) = receive(&bytes);
        let error = error.unwrap_or_else(|| panic!("{what} is no protocol error"));
        assert_eq!((error.code.0, error.statement), (code, statement), "{what}");
        assert!(of_clients.contains(&error.code.0), "{what}");
    }
}
