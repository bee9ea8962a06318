//! Fixed headers: types, flags, lengths.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let types_5 = "MQTT 5.0, 2.1.2";
    let types_3 = "MQTT 3.1.1, 2.2.1";
    let length_3 = "MQTT 3.1.1, 2.2.3";
    vec![
        both("type 0", b"\x00\x00", 0x81, types_5, types_3),
        case("AUTH", (b"\xf0\x00", 0x82, "MQTT-4.12.0-7"), (b"\xf0\x00", types_3)),
        both("CONNACK", b"\x20\x02\x00\x00", 0x82, types_5, types_3),
        both("SUBACK", b"\x90\x03\x00\x01\x00", 0x82, types_5, types_3),
        both("UNSUBACK", b"\xb0\x02\x00\x01", 0x82, types_5, types_3),
        both("PINGRESP", b"\xd0\x00", 0x82, types_5, types_3),
        both(
            "PUBREC",
            b"\x50\x02\x00\x01",
            0x82,
            "MQTT 5.0, 4.3.3",
            "MQTT 3.1.1, 4.3.3",
        ),
        both(
            "PUBREL",
            b"\x62\x02\x00\x01",
            0x82,
            "MQTT 5.0, 4.3.3",
            "MQTT 3.1.1, 4.3.3",
        ),
        both(
            "PUBCOMP",
            b"\x70\x02\x00\x01",
            0x82,
            "MQTT 5.0, 4.3.3",
            "MQTT 3.1.1, 4.3.3",
        ),
        both("CONNECT with flags", b"\x11\x00", 0x81, "MQTT-2.1.3-1", "MQTT-2.2.2-2"),
        both(
            "PUBACK with flags",
            b"\x42\x02\x00\x01",
            0x81,
            "MQTT-2.1.3-1",
            "MQTT-2.2.2-2",
        ),
        both(
            "PUBREL with other flags",
            b"\x60\x02\x00\x01",
            0x81,
            "MQTT-3.6.1-1",
            "MQTT-3.6.1-1",
        ),
        both(
            "SUBSCRIBE with other flags",
            b"\x80\x06\x00\x01\x00\x01a\x00",
            0x81,
            "MQTT-3.8.1-1",
            "MQTT-3.8.1-1",
        ),
        both(
            "UNSUBSCRIBE with other flags",
            b"\xa3\x05\x00\x01\x00\x01a",
            0x81,
            "MQTT-3.10.1-1",
            "MQTT-3.10.1-1",
        ),
        both("AUTH with flags", b"\xf1\x00", 0x81, "MQTT-3.15.1-1", "MQTT-2.2.2-2"),
        both("PINGREQ with flags", b"\xc4\x00", 0x81, "MQTT-2.1.3-1", "MQTT-2.2.2-2"),
        both(
            "DISCONNECT with flags",
            b"\xe1\x00",
            0x81,
            "MQTT-2.1.3-1",
            "MQTT-3.14.1-1",
        ),
        both(
            "a length of five bytes",
            b"\x30\xff\xff\xff\xff\x01",
            0x81,
            "MQTT 5.0, 1.5.5",
            length_3,
        ),
        only_5(
            "a length in two bytes too many",
            b"\xc0\x80\x80\x00",
            0x81,
            "MQTT-1.5.5-1",
        ),
        both(
            "PINGREQ with a body",
            b"\xc0\x01\x00",
            0x81,
            "MQTT 5.0, 2.1.4",
            length_3,
        ),
        both("PUBACK of one byte", b"\x40\x01\x00", 0x81, "MQTT 5.0, 2.1.4", length_3),
        case(
            "a PUBACK of three bytes",
            (&[], 0, ""),
            (b"\x40\x03\x00\x01\x00", length_3),
        ),
        case("a DISCONNECT with a code", (&[], 0, ""), (b"\xe0\x01\x00", length_3)),
        both(
            "a message of 256 MiB",
            b"\x32\xff\xff\xff\x7f",
            0x95,
            "MQTT-3.2.2-15",
            "MQTT 3.1.1, 4.8",
        ),
        both(
            "a SUBSCRIBE of 2 MiB",
            b"\x82\x80\x80\x80\x01",
            0x95,
            "MQTT-3.2.2-15",
            "MQTT 3.1.1, 4.8",
        ),
        both("a second CONNECT", CONNECT_5, 0x82, "MQTT-3.1.0-2", "MQTT-3.1.0-2"),
    ]
}
