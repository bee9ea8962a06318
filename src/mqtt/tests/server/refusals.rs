//! All CONNECTs that a server must refuse without asking the driver, with the statement that forbids each.

use super::*;

/// A CONNECT that is refused, the bytes of the answer, and the statement.
pub(super) type Case = (&'static str, Vec<u8>, &'static [u8], &'static str);

fn refused_5() -> Vec<Case> {
    let id = b"\x00\x02gw";
    let of = |flags, properties: &[u8], payload: &[u8]| connect(5, flags, properties, &[&id[..], payload].concat());
    let will = b"\x00\x00\x01w\x00\x01x";
    vec![
        (
            "the reserved flag",
            of(0x01, &[], &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT-3.1.2-3",
        ),
        (
            "a will QoS and no will",
            of(0x08, &[], &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT-3.1.2-11",
        ),
        (
            "a will retain and no will",
            of(0x20, &[], &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT-3.1.2-13",
        ),
        (
            "a will at quality of service 3",
            of(0x1c, &[], will),
            b"\x20\x03\x00\x81\x00",
            "MQTT-3.1.2-12",
        ),
        (
            "a will at quality of service 2",
            of(0x14, &[], will),
            b"\x20\x03\x00\x9b\x00",
            "MQTT-3.2.2-12",
        ),
        (
            "a will topic with a wildcard",
            of(0x04, &[], b"\x00\x00\x01#\x00\x00"),
            b"\x20\x03\x00\x90\x00",
            "MQTT-3.3.2-2",
        ),
        (
            "an empty will topic",
            of(0x04, &[], b"\x00\x00\x00\x00\x00"),
            b"\x20\x03\x00\x90\x00",
            "MQTT-4.7.3-1",
        ),
        (
            "a will that is missing",
            of(0x04, &[], &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.1.4",
        ),
        (
            "a will that nobody announced",
            of(0x00, &[], will),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.1.4",
        ),
        (
            "a will topic that is not UTF-8",
            of(0x04, &[], b"\x00\x00\x01\xff\x00\x00"),
            b"\x20\x03\x00\x81\x00",
            "MQTT-1.5.4-1",
        ),
        (
            "a will with a payload format of 2",
            of(0x04, &[], b"\x02\x01\x02\x00\x01w\x00\x00"),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 2.2.2",
        ),
        (
            "a will with a response topic that has a wildcard",
            of(0x04, &[], b"\x04\x08\x00\x01#\x00\x01w\x00\x00"),
            b"\x20\x03\x00\x81\x00",
            "MQTT-3.3.2-14",
        ),
        (
            "a will with a topic alias",
            of(0x04, &[], b"\x03\x23\x00\x01\x00\x01w\x00\x00"),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "a will with a delay twice",
            of(0x04, &[], b"\x0a\x18\0\0\0\0\x18\0\0\0\0\x00\x01w\x00\x00"),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "a user name that is missing",
            of(0x80, &[], &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.1.4",
        ),
        (
            "a user name that is not UTF-8",
            of(0x80, &[], b"\x00\x01\xff"),
            b"\x20\x03\x00\x81\x00",
            "MQTT-1.5.4-1",
        ),
        (
            "a password that is missing",
            of(0x40, &[], &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.1.4",
        ),
        (
            "no client identifier",
            connect(5, 0, &[], &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.1.4",
        ),
        (
            "a client identifier that is not UTF-8",
            connect(5, 0, &[], b"\x00\x01\xff"),
            b"\x20\x03\x00\x81\x00",
            "MQTT-1.5.4-1",
        ),
        (
            "a client identifier with U+0000",
            connect(5, 0, &[], b"\x00\x01\x00"),
            b"\x20\x03\x00\x81\x00",
            "MQTT-1.5.4-2",
        ),
        (
            "a session expiry twice",
            of(0, b"\x11\0\0\0\0\x11\0\0\0\0", &[]),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "Receive Maximum 0",
            of(0, b"\x21\0\0", &[]),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 2.2.2",
        ),
        (
            "Maximum Packet Size 0",
            of(0, b"\x27\0\0\0\0", &[]),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 2.2.2",
        ),
        (
            "a request for problem information of 2",
            of(0, b"\x17\x02", &[]),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 2.2.2",
        ),
        (
            "a request for response information of 2",
            of(0, b"\x19\x02", &[]),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 2.2.2",
        ),
        (
            "a property of another packet",
            of(0, b"\x23\0\x01", &[]),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.2.2.2",
        ),
        (
            "an authentication method",
            of(0, b"\x15\0\x01m", &[]),
            b"\x20\x03\x00\x8c\x00",
            "MQTT-4.12.0-1",
        ),
        (
            "authentication data alone",
            of(0, b"\x16\0\x01d", &[]),
            b"\x20\x03\x00\x82\x00",
            "MQTT 5.0, 3.1.2.11.10",
        ),
        (
            "version 6",
            connect(6, 0, &[], id),
            b"\x20\x03\x00\x84\x00",
            "MQTT-3.1.2-2",
        ),
        (
            "no properties",
            packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c"),
            b"\x20\x03\x00\x81\x00",
            "MQTT 5.0, 2.1.4",
        ),
    ]
}

fn refused_3() -> Vec<Case> {
    let of = |flags, payload: &[u8]| connect(4, flags, &[], &[b"\x00\x02gw", payload].concat());
    let name = |name: &[u8], level: u8| packet(0x10, &[name, &[level, 2, 0, 60, 0, 1, b'c']].concat());
    let will = b"\x00\x01w\x00\x01x";
    vec![
        ("the reserved flag", of(0x01, &[]), b"", "MQTT-3.1.2-3"),
        ("a will QoS and no will", of(0x08, &[]), b"", "MQTT-3.1.2-13"),
        ("a will retain and no will", of(0x20, &[]), b"", "MQTT-3.1.2-15"),
        ("a will at quality of service 3", of(0x1c, will), b"", "MQTT-3.1.2-14"),
        ("a will at quality of service 2", of(0x14, will), b"", "MQTT 3.1.1, 4.3"),
        (
            "a password without a user name",
            of(0x40, b"\x00\x01p"),
            b"",
            "MQTT-3.1.2-22",
        ),
        (
            "a will topic with a wildcard",
            of(0x04, b"\x00\x01+\x00\x00"),
            b"",
            "MQTT-3.3.2-2",
        ),
        ("a will that is missing", of(0x04, &[]), b"", "MQTT 3.1.1, 2.2.3"),
        (
            "a user name that nobody announced",
            of(0, b"\x00\x01u"),
            b"",
            "MQTT 3.1.1, 2.2.3",
        ),
        (
            "a client identifier that is not UTF-8",
            connect(4, 2, &[], b"\x00\x01\xff"),
            b"",
            "MQTT-1.5.3-1",
        ),
        (
            "a client identifier with U+0000",
            connect(4, 2, &[], b"\x00\x01\x00"),
            b"",
            "MQTT-1.5.3-2",
        ),
        (
            "no client identifier",
            connect(4, 0, &[], b"\x00\x00"),
            b"\x20\x02\x00\x02",
            "MQTT-3.1.3-8",
        ),
        (
            "MQTT 3.1",
            name(b"\x00\x06MQIsdp", 3),
            b"\x20\x02\x00\x01",
            "MQTT-3.1.2-1",
        ),
        ("level 3", name(b"\x00\x04MQTT", 3), b"\x20\x02\x00\x01", "MQTT-3.1.2-2"),
        (
            "a bridge of level 3",
            name(b"\x00\x04MQTT", 0x83),
            b"\x20\x02\x00\x01",
            "MQTT-3.1.2-2",
        ),
        (
            "a bridge of level 5",
            name(b"\x00\x04MQTT", 0x85),
            b"\x20\x02\x00\x01",
            "MQTT-3.1.2-2",
        ),
        ("another protocol", name(b"\x00\x04AMQP", 4), b"", "MQTT-3.1.2-1"),
        (
            "a protocol in lower case",
            name(b"\x00\x04mqtt", 4),
            b"",
            "MQTT-3.1.2-1",
        ),
        ("a packet before CONNECT", b"\xc0\x00".to_vec(), b"", "MQTT-3.1.0-1"),
        ("DISCONNECT before CONNECT", b"\xe0\x00".to_vec(), b"", "MQTT-3.1.0-1"),
        ("HTTP", b"GET / HTTP/1.1\r\n".to_vec(), b"", "MQTT-2.1.3-1"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00".to_vec(), b"", "MQTT-2.1.3-1"),
        (
            "a CONNECT of 256 MiB",
            b"\x10\xff\xff\xff\x7f".to_vec(),
            b"",
            "MQTT-3.2.2-15",
        ),
    ]
}

pub(super) fn cases() -> impl Iterator<Item = Case> {
    refused_5().into_iter().chain(refused_3())
}
