//! CONNECT: what is refused before anybody is asked, and the answers.

use super::*;

/// A CONNECT that is refused, the bytes of the answer, and the statement.
type Case = (&'static str, Vec<u8>, &'static [u8], &'static str);

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

#[test]
fn what_is_refused_before_anybody_is_asked() {
    for (what, bytes, answer, statement) in refused_5().into_iter().chain(refused_3()) {
        let mut link = Link::new();
        // A packet that waits behind the CONNECT is not read (MQTT-3.1.4-6).
        let close = link.close(&[&bytes[..], b"\xc0\x00"].concat());
        assert_eq!(breach(&close).1, statement, "{what}");
        assert_eq!(link.sent(), answer, "{what}");
        assert_eq!((close.will, close.session_expiry), (None, 0), "{what}");
    }
}

#[test]
fn a_retained_will_is_refused_where_nothing_is_retained() {
    let options = ServerOptions {
        retain_available: false,
        ..ServerOptions::default()
    };
    for (level, payload, answer) in [
        (
            5,
            &b"\x00\x02gw\x00\x00\x01w\x00\x01x"[..],
            &b"\x20\x03\x00\x9a\x00"[..],
        ),
        (4, b"\x00\x02gw\x00\x01w\x00\x01x", b""),
    ] {
        let mut link = Link::with(options);
        let close = link.close(&connect(level, 0x26, &[], payload));
        assert_eq!(breach(&close).0, 0x9a);
        assert_eq!(link.sent(), answer);
    }
}

#[test]
fn nothing_is_read_before_connect_is_answered() {
    let mut link = Link::new();
    let both = [CONNECT_5, b"\xc0\x00"].concat();
    let Some(Action::Connect(connect)) = link.receive(&both) else {
        panic!("CONNECT");
    };
    assert_eq!(
        (connect.client_id.as_str(), connect.clean_start, connect.keep_alive),
        ("gw", true, 60)
    );
    assert_eq!((link.next(), link.server.is_waiting()), (None, true));
    link.server.accept(Acceptance::default(), link.now);
    assert_eq!(link.next(), None);
    let sent = link.sent();
    assert!(
        sent.starts_with(b"\x20") && sent.ends_with(b"\xd0\x00"),
        "CONNACK, then PINGRESP: {sent:02x?}"
    );
}

#[test]
fn connack_says_what_was_granted_and_what_is_not_the_default() {
    let properties = |acceptance| {
        let mut link = Link::new();
        let connect = connect(5, 0, b"\x11\xff\xff\xff\xff", b"\x00\x00");
        assert!(matches!(link.receive(&connect), Some(Action::Connect(_))));
        link.server.accept(acceptance, link.now);
        let mut output = link.server.output().split();
        let frame = Framer::new(Sender::Server).next(&mut output).unwrap().unwrap();
        match decode(frame, Sender::Server, V5) {
            Ok(Packet::Connack(connack)) => connack,
            other => panic!("{other:?}"),
        }
    };
    let always = [
        Property::ReceiveMaximum(100),
        Property::MaximumQos(Qos::AtLeastOnce),
        Property::MaximumPacketSize(MAX_PACKET),
        Property::TopicAliasMaximum(8),
        Property::SharedSubscriptionAvailable(false),
    ];
    let Connack {
        session_present,
        code,
        properties: all,
    } = properties(Acceptance {
        session_present: true,
        assigned_client_id: Some("auto-1".into()),
        session_expiry: Some(3600),
        keep_alive: Some(30),
        in_flight: vec![7],
    });
    assert!(session_present && code == ReasonCode::SUCCESS);
    let granted = [
        Property::SessionExpiryInterval(3600),
        Property::ServerKeepAlive(30),
        Property::AssignedClientIdentifier("auto-1".into()),
    ];
    assert_eq!(all, [&granted[..], &always].concat());
    let seven_days = Property::SessionExpiryInterval(604_800);
    assert_eq!(
        properties(Acceptance::default()).properties,
        [&[seven_days][..], &always].concat()
    );
}

#[test]
fn connack_of_3_1_1_is_a_flag_and_a_code() {
    for (flags, session_present, connack) in [
        (0, true, b"\x20\x02\x01\x00"),
        (0, false, b"\x20\x02\x00\x00"),
        // A clean session never was there before (MQTT-3.2.2-1).
        (2, true, b"\x20\x02\x00\x00"),
    ] {
        let mut link = Link::new();
        link.receive(&connect(4, flags, &[], b"\x00\x02gw"));
        let acceptance = Acceptance {
            session_present,
            keep_alive: Some(30),
            assigned_client_id: Some("x".into()),
            ..Acceptance::default()
        };
        link.server.accept(acceptance, link.now);
        assert_eq!(link.sent(), connack);
        // The client cannot know of another keep-alive than its own.
        assert_eq!(link.server.deadline(), Some(link.now + Duration::from_secs(90)));
    }
}

#[test]
fn a_refusal_has_a_code_that_its_version_knows() {
    let refused = |bytes: &[u8], code, words| {
        let mut link = Link::new();
        assert!(matches!(link.receive(bytes), Some(Action::Connect(_))));
        link.server.refuse(code, words);
        assert_eq!(link.receive(b"\xc0\x00"), None, "nothing is read after a refusal");
        link.sent()
    };
    for (code, in_5, in_3) in [
        (ReasonCode::NOT_AUTHORIZED, 0x87, &b"\x20\x02\x00\x05"[..]),
        (ReasonCode::BAD_USER_NAME_OR_PASSWORD, 0x86, b"\x20\x02\x00\x04"),
        (ReasonCode::CLIENT_ID_NOT_VALID, 0x85, b"\x20\x02\x00\x02"),
        (ReasonCode::QUOTA_EXCEEDED, 0x97, b"\x20\x02\x00\x03"),
        (ReasonCode::TOPIC_NAME_INVALID, 0x90, b""),
        // No code of CONNACK.
        (ReasonCode::SESSION_TAKEN_OVER, 0x83, b""),
    ] {
        assert_eq!(refused(CONNECT_5, code, None), [0x20, 3, 0, in_5, 0], "{code}");
        assert_eq!(refused(CONNECT_3, code, Some("why")), in_3, "{code}");
    }
    let words = Some("no rule");
    assert_eq!(
        refused(CONNECT_5, ReasonCode::NOT_AUTHORIZED, words),
        b"\x20\x0d\x00\x87\x0a\x1f\x00\x07no rule"
    );
    // A client that accepts nine bytes gets the code alone (MQTT-3.2.2-19), and one of four nothing.
    let narrow = |most| connect(5, 2, &[0x27, 0, 0, 0, most], b"\x00\x02gw");
    assert_eq!(
        refused(&narrow(9), ReasonCode::NOT_AUTHORIZED, words),
        b"\x20\x03\x00\x87\x00"
    );
    assert_eq!(refused(&narrow(4), ReasonCode::NOT_AUTHORIZED, words), b"");
}
