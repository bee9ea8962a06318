//! SUBSCRIBE, UNSUBSCRIBE, PUBACK and DISCONNECT.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let filter = |name: &'static str, filter: &[u8], statement, v3_statement| {
        let length = u8::try_from(filter.len()).unwrap();
        let v3 = packet(0x82, &[&[0, 1, 0, length][..], filter, &[0]].concat());
        let v5 = packet(0x82, &[&[0, 1, 0, 0, length][..], filter, &[0]].concat());
        case(name, (&v5, 0x8f, statement), (&v3, v3_statement))
    };
    let options = |name: &'static str, byte: u8, code, statement, v3_statement| {
        let v5 = packet(0x82, &[0, 1, 0, 0, 1, b'a', byte]);
        let v3 = packet(0x82, &[0, 1, 0, 1, b'a', byte]);
        case(name, (&v5, code, statement), (&v3, v3_statement))
    };
    let reserved_3 = "MQTT-3-8.3-4";
    let many: Vec<u8> = [&[0, 1, 0][..], &[0, 1, b'a', 0].repeat(MAX_FILTERS + 1)].concat();
    let share: &[u8] = b"\x82\x10\x00\x01\x00\x00\x0a$share/g/a\x04";
    vec![
        case(
            "SUBSCRIBE without a filter",
            (b"\x82\x03\x00\x01\x00", 0x82, "MQTT-3.8.3-2"),
            (b"\x82\x02\x00\x01", "MQTT-3.8.3-3"),
        ),
        case(
            "UNSUBSCRIBE without a filter",
            (b"\xa2\x03\x00\x01\x00", 0x82, "MQTT-3.10.3-2"),
            (b"\xa2\x02\x00\x01", "MQTT-3.10.3-2"),
        ),
        both(
            "SUBSCRIBE 0",
            b"\x82\x07\x00\x00\x00\x00\x01a\x00",
            0x82,
            "MQTT-2.2.1-3",
            "MQTT-2.3.1-1",
        ),
        both(
            "UNSUBSCRIBE 0",
            b"\xa2\x06\x00\x00\x00\x00\x01a",
            0x82,
            "MQTT-2.2.1-3",
            "MQTT-2.3.1-1",
        ),
        both("PUBACK 0", b"\x40\x02\x00\x00", 0x82, "MQTT-2.2.1-5", "MQTT-2.3.1-1"),
        options("subscribing at 3", 3, 0x82, "MQTT 5.0, 3.8.3.1", reserved_3),
        options("reserved bits", 0x40, 0x81, "MQTT-3.8.3-5", reserved_3),
        options("retain handling 3", 0x30, 0x82, "MQTT 5.0, 3.8.3.1", reserved_3),
        case("No Local", (&[], 0, ""), (b"\x82\x06\x00\x01\x00\x01a\x04", reserved_3)),
        only_5("No Local on a shared subscription", share, 0x82, "MQTT-3.8.3-4"),
        filter("an empty filter", b"", "MQTT-4.7.3-1", "MQTT-4.7.3-1"),
        filter(
            "a filter with # before its end",
            b"a/#/b",
            "MQTT-4.7.1-1",
            "MQTT-4.7.1-2",
        ),
        filter("a filter with # behind others", b"a#", "MQTT-4.7.1-1", "MQTT-4.7.1-2"),
        filter("a filter with + beside others", b"a+/b", "MQTT-4.7.1-2", "MQTT-4.7.1-3"),
        filter(
            "a shared subscription without a name",
            b"$share//a",
            "MQTT-4.8.2-1",
            "MQTT-4.8.2-1",
        ),
        filter(
            "a shared subscription without a filter",
            b"$share/g/",
            "MQTT-4.8.2-2",
            "MQTT-4.8.2-2",
        ),
        filter(
            "a share name with a wildcard",
            b"$share/+/a",
            "MQTT-4.8.2-2",
            "MQTT-4.8.2-2",
        ),
        both(
            "a filter that is not UTF-8",
            b"\x82\x07\x00\x01\x00\x00\x01\xff\x00",
            0x81,
            "MQTT-1.5.4-1",
            "MQTT-4.7.3-1",
        ),
        case(
            "UNSUBSCRIBE with a filter that is not UTF-8",
            (b"\xa2\x06\x00\x01\x00\x00\x01\xff", 0x81, "MQTT-1.5.4-1"),
            (b"\xa2\x05\x00\x01\x00\x01\xff", "MQTT-1.5.3-1"),
        ),
        case(
            "UNSUBSCRIBE with a filter that is none",
            (b"\xa2\x07\x00\x01\x00\x00\x02a#", 0x8f, "MQTT-4.7.1-1"),
            (b"\xa2\x06\x00\x01\x00\x02a#", "MQTT-4.7.1-2"),
        ),
        only_5(
            "a subscription identifier 0",
            b"\x82\x09\x00\x01\x02\x0b\x00\x00\x01a\x00",
            0x82,
            "MQTT 5.0, 2.2.2",
        ),
        only_5(
            "a second identifier",
            b"\x82\x0b\x00\x01\x04\x0b\x01\x0b\x02\x00\x01a\x00",
            0x82,
            "MQTT 5.0, 2.2.2.2",
        ),
        only_5(
            "a filter without options",
            b"\x82\x06\x00\x01\x00\x00\x01a",
            0x81,
            "MQTT 5.0, 2.1.4",
        ),
        only_5("filters without end", &packet(0x82, &many), 0x97, "MQTT 5.0, 4.13.1"),
        only_5(
            "a PUBACK code of another packet",
            b"\x40\x03\x00\x01\x8e",
            0x81,
            "MQTT-3.4.2-1",
        ),
        only_5(
            "a PUBACK property of another packet",
            b"\x40\x07\x00\x01\x00\x03\x21\x00\x01",
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
        only_5(
            "a PUBACK with bytes after its end",
            b"\x40\x05\x00\x01\x00\x00\x00",
            0x81,
            "MQTT 5.0, 2.1.4",
        ),
        only_5("a DISCONNECT code of servers", b"\xe0\x01\x8e", 0x81, "MQTT-3.14.2-1"),
        only_5(
            "DISCONNECT with a server reference",
            b"\xe0\x06\x00\x04\x1c\x00\x01s",
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
        only_5(
            "DISCONNECT with a session expiry",
            b"\xe0\x07\x00\x05\x11\x00\x00\x00\x01",
            0x82,
            "MQTT 5.0, 3.14.2.2.2",
        ),
        only_5(
            "an UNSUBSCRIBE property of another packet",
            b"\xa2\x08\x00\x01\x02\x0b\x01\x00\x01a",
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
    ]
}
