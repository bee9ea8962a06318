//! PUBLISH.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let user = [0x26, 0, 1, 0xff, 0, 0];
    let with = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        packet(0x32, &[b"\x00\x01t\x00\x01", &[length][..], properties, b"x"].concat())
    };
    let name = "MQTT-3.3.2-2";
    vec![
        both(
            "quality of service 3",
            b"\x36\x06\x00\x01t\x00\x01\x00",
            0x81,
            "MQTT-3.3.1-4",
            "MQTT-3.3.1-4",
        ),
        both(
            "DUP at quality of service 0",
            b"\x38\x04\x00\x01t\x00",
            0x81,
            "MQTT-3.3.1-2",
            "MQTT-3.3.1-2",
        ),
        both(
            "quality of service 2",
            b"\x34\x06\x00\x01t\x00\x01\x00",
            0x9b,
            "MQTT-3.2.2-11",
            "MQTT 3.1.1, 4.3",
        ),
        both(
            "packet identifier 0",
            b"\x32\x06\x00\x01t\x00\x00\x00",
            0x82,
            "MQTT-2.2.1-3",
            "MQTT-2.3.1-1",
        ),
        both("a topic with #", b"\x30\x06\x00\x03a/#\x00", 0x90, name, name),
        both("a topic with +", b"\x30\x06\x00\x03a/+\x00", 0x90, name, name),
        case(
            "no topic",
            (b"\x30\x03\x00\x00\x00", 0x82, "MQTT 5.0, 3.3.2.1"),
            (b"\x30\x02\x00\x00", "MQTT-4.7.3-1"),
        ),
        both(
            "a topic with a surrogate",
            b"\x30\x06\x00\x03\xed\xa0\x80\x00",
            0x81,
            "MQTT-1.5.4-1",
            "MQTT-1.5.3-1",
        ),
        both(
            "a topic with U+0000",
            b"\x30\x05\x00\x02a\x00\x00",
            0x81,
            "MQTT-1.5.4-2",
            "MQTT-1.5.3-2",
        ),
        both(
            "a topic beyond the end",
            b"\x30\x05\x00\x09ab\x00",
            0x81,
            "MQTT 5.0, 2.1.4",
            "MQTT 3.1.1, 2.2.3",
        ),
        only_5("no packet identifier", b"\x32\x05\x00\x03abc", 0x81, "MQTT 5.0, 2.1.4"),
        only_5("topic alias 0", &with(&[0x23, 0, 0]), 0x94, "MQTT-3.3.2-8"),
        only_5(
            "a topic alias above the maximum",
            &with(&[0x23, 0, 9]),
            0x94,
            "MQTT-3.3.2-9",
        ),
        only_5(
            "an unknown topic alias",
            b"\x30\x06\x00\x00\x03\x23\x00\x02",
            0x82,
            "MQTT 5.0, 3.3.2.3.4",
        ),
        only_5("a subscription identifier", &with(&[0x0b, 1]), 0x82, "MQTT-3.3.4-6"),
        only_5(
            "a property of another packet",
            &with(&[0x21, 0, 1]),
            0x81,
            "MQTT 5.0, 2.2.2.2",
        ),
        only_5("an unknown property", &with(&[0x7e, 0]), 0x81, "MQTT 5.0, 2.2.2.2"),
        only_5("a property twice", &with(&[1, 0, 1, 0]), 0x82, "MQTT 5.0, 2.2.2.2"),
        only_5("a payload format of 2", &with(&[1, 2]), 0x82, "MQTT 5.0, 2.2.2"),
        only_5(
            "a response topic with a wildcard",
            &with(b"\x08\x00\x03a/+"),
            0x81,
            "MQTT-3.3.2-14",
        ),
        only_5("an empty response topic", &with(b"\x08\x00\x00"), 0x90, "MQTT-4.7.3-1"),
        only_5(
            "a response topic that is not UTF-8",
            &with(b"\x08\x00\x01\xff"),
            0x81,
            "MQTT-1.5.4-1",
        ),
        only_5(
            "a content type that is not UTF-8",
            &with(b"\x03\x00\x01\xff"),
            0x81,
            "MQTT-1.5.4-1",
        ),
        only_5("a user property that is not UTF-8", &with(&user), 0x81, "MQTT-1.5.4-1"),
        only_5(
            "correlation data beyond the end",
            &with(b"\x09\x00\x09a"),
            0x81,
            "MQTT 5.0, 2.1.4",
        ),
        only_5(
            "properties beyond the end",
            b"\x30\x05\x00\x01t\x09\x01",
            0x81,
            "MQTT 5.0, 2.1.4",
        ),
    ]
}
