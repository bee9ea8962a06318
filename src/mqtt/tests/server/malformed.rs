//! Every packet that a server must refuse on a connection that it has accepted, by the statement that forbids it.

use super::*;

/// The same breach in both versions; an empty packet where a version has no such breach.
struct Case {
    what: &'static str,
    v5: Vec<u8>,
    /// The reason code of our DISCONNECT, and the statement.
    code: u8,
    statement: &'static str,
    v3: Vec<u8>,
    v3_statement: &'static str,
}

fn case(
    what: &'static str,
    (v5, code, statement): (&[u8], u8, &'static str),
    (v3, v3_statement): (&[u8], &'static str),
) -> Case {
    Case {
        what,
        v5: v5.to_vec(),
        code,
        statement,
        v3: v3.to_vec(),
        v3_statement,
    }
}

/// A breach that reads the same in both versions.
fn both(what: &'static str, bytes: &[u8], code: u8, statement: &'static str, v3_statement: &'static str) -> Case {
    case(what, (bytes, code, statement), (bytes, v3_statement))
}

/// A breach of MQTT 5 alone.
fn only_5(what: &'static str, bytes: &[u8], code: u8, statement: &'static str) -> Case {
    case(what, (bytes, code, statement), (&[], ""))
}

fn headers() -> Vec<Case> {
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
        both(
            "a length in two bytes too many",
            b"\xc0\x80\x80\x00",
            0x81,
            "MQTT-1.5.5-1",
            length_3,
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

fn publishes() -> Vec<Case> {
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

fn others() -> Vec<Case> {
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

#[test]
fn each_breach_ends_the_connection_in_both_versions() {
    // With a will, which each of them publishes (MQTT-3.1.2-8).
    let connect_5 = connect(5, 0x06, &[], b"\x00\x02gw\x00\x00\x01w\x00\x03off");
    let connect_3 = connect(4, 0x06, &[], b"\x00\x02gw\x00\x01w\x00\x03off");
    let cases = [headers(), publishes(), others()].into_iter().flatten();
    let mut count = 0;
    for case in cases {
        if !case.v5.is_empty() {
            let mut link = Link::accepted(&connect_5, Acceptance::default());
            let close = link.close(&case.v5);
            assert_eq!(breach(&close), (case.code, case.statement), "{}", case.what);
            assert_eq!(link.sent(), [0xe0, 1, case.code], "{}", case.what);
            assert_eq!(
                close.will.map(|due| due.will.topic).as_deref(),
                Some("w"),
                "{}",
                case.what
            );
            assert_eq!(link.receive(b"\xc0\x00"), None, "nothing is read after {}", case.what);
            count += 1;
        }
        if !case.v3.is_empty() {
            let mut link = Link::accepted(&connect_3, Acceptance::default());
            let close = link.close(&case.v3);
            assert_eq!(breach(&close).1, case.v3_statement, "{} in MQTT 3.1.1", case.what);
            assert_eq!(
                link.sent(),
                b"",
                "{}: a server of MQTT 3.1.1 has no DISCONNECT",
                case.what
            );
            assert!(close.will.is_some(), "{}", case.what);
            count += 1;
        }
    }
    assert!(count > 120, "{count}");
}
