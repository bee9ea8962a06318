//! CONNECT: refusals that need no decision of the driver, and the answers.

use super::*;

#[test]
fn refused_connects_are_answered_at_once() {
    for (what, bytes, answer, statement) in refusals::cases() {
        let mut link = Link::new();
        // A packet that waits after the CONNECT is not read (MQTT-3.1.4-6).
        let close = link.close(&[&bytes[..], b"\xc0\x00"].concat());
        assert_eq!(protocol_error(&close).1, statement, "{what}");
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
        assert_eq!(protocol_error(&close).0, 0x9a);
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
        // A clean session is never present (MQTT-3.2.2-1).
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
        // The client cannot know a keep-alive other than its own.
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
        // Not a code of CONNACK.
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
    // A client that accepts nine bytes gets the code alone (MQTT-3.2.2-19), and one that accepts four gets nothing.
    let narrow = |most| connect(5, 2, &[0x27, 0, 0, 0, most], b"\x00\x02gw");
    assert_eq!(
        refused(&narrow(9), ReasonCode::NOT_AUTHORIZED, words),
        b"\x20\x03\x00\x87\x00"
    );
    assert_eq!(refused(&narrow(4), ReasonCode::NOT_AUTHORIZED, words), b"");
}
