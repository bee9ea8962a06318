//! Messages of a client: packet identifiers, the Receive Maximum, topic aliases.

use super::*;

fn options(receive_maximum: u16) -> ServerOptions {
    ServerOptions {
        receive_maximum,
        ..ServerOptions::default()
    }
}

fn received(action: Option<Action>) -> Publish {
    match action {
        Some(Action::Publish(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_answered_once_under_its_packet_identifier() {
    for (version, refusal) in [(V5, &b"\x40\x03\x00\x08\x97"[..]), (V3, b"")] {
        let mut link = Link::connected(version);
        let message = received(link.receive(&publish(version, 2, 7)));
        assert_eq!(
            (message.packet_id, message.qos, &message.payload[..]),
            (Some(7), Qos::AtLeastOnce, &b"x"[..])
        );
        assert_eq!(link.sent(), b"");
        // Sent again before its PUBACK: one answer for both.
        assert_eq!(
            (link.receive(&publish(version, 10, 7)), link.server.ignored()),
            (None, 1)
        );
        link.server.puback(9, ReasonCode::SUCCESS, None);
        link.server.puback(7, ReasonCode::SUCCESS, None);
        link.server.puback(7, ReasonCode::SUCCESS, None);
        assert_eq!(link.sent(), b"\x40\x02\x00\x07");
        // Afterwards the same packet identifier belongs to another message, whatever DUP says (MQTT-4.3.2-5).
        assert!(link.receive(&publish(version, 10, 7)).is_some());
        assert_eq!(received(link.receive(&publish(version, 0, 0))).packet_id, None);

        received(link.receive(&publish(version, 2, 8)));
        link.server.puback(8, ReasonCode::QUOTA_EXCEEDED, None);
        assert_eq!(link.sent(), refusal);
        let next = link.next();
        let is_closed = matches!(&next, Some(Action::Close(close)) if close.cause == CloseCause::Refused(ReasonCode::QUOTA_EXCEEDED));
        assert_eq!(is_closed, version == V3, "{next:?}");
    }
}

#[test]
fn a_packet_identifier_in_use_is_a_protocol_error() {
    for (version, statement) in [(V5, "MQTT-2.2.1-3"), (V3, "MQTT-2.3.1-2")] {
        let subscribe: &[u8] = match version {
            V5 => b"\x82\x07\x00\x07\x00\x00\x01a\x00",
            V3 => b"\x82\x06\x00\x07\x00\x01a\x00",
        };
        let unsubscribe: &[u8] = match version {
            V5 => b"\xa2\x06\x00\x07\x00\x00\x01a",
            V3 => b"\xa2\x05\x00\x07\x00\x01a",
        };
        let (message, again) = (publish(version, 2, 7), publish(version, 10, 7));
        for (first, second) in [
            (&message[..], &message[..]),
            (&message, subscribe),
            (subscribe, &message),
            (subscribe, &again),
            (subscribe, subscribe),
            (unsubscribe, subscribe),
            (&message, unsubscribe),
        ] {
            let mut link = Link::connected(version);
            assert!(link.receive(first).is_some());
            assert_eq!(
                protocol_error(&link.close(second)),
                (0x82, statement),
                "{first:02x?} {second:02x?}"
            );
        }
    }
}

#[test]
fn more_messages_than_the_receive_maximum_are_a_protocol_error_or_wait() {
    let mut link = accepted_with(options(2), CONNECT_5);
    for id in 1..=2 {
        received(link.receive(&publish(V5, 2, id)));
    }
    assert!(
        matches!(link.receive(&publish(V5, 0, 0)), Some(Action::Publish(_))),
        "quality of service 0 has no window"
    );
    assert_eq!(protocol_error(&link.close(&publish(V5, 2, 3))), (0x93, "MQTT-3.3.4-7"));

    // MQTT 3.1.1 cannot announce the maximum: further messages wait, and the client's silence does not count meanwhile.
    let mut link = accepted_with(options(2), CONNECT_3);
    for id in 1..=2 {
        received(link.receive(&publish(V3, 2, id)));
    }
    assert_eq!(link.receive(&publish(V3, 2, 3)), None);
    assert_eq!((link.server.is_waiting(), link.server.deadline()), (true, None));
    link.server.puback(1, ReasonCode::SUCCESS, None);
    assert_eq!(received(link.next()).packet_id, Some(3));
}

#[test]
fn large_messages_wait_before_there_are_many() {
    for version in [V5, V3] {
        let mut link = Link::connected(version);
        let large = |id: u8| {
            let mut body = vec![0, 1, b't', 0, id];
            body.resize(100_000, 0);
            packet(0x32, &body)
        };
        let within = u8::try_from(MAX_UNANSWERED / 100_000).unwrap();
        for id in 1..=within + 1 {
            received(link.receive(&large(id)));
        }
        assert_eq!((link.receive(&large(50)), link.server.is_waiting()), (None, true));
        link.server.puback(3, ReasonCode::SUCCESS, None);
        assert_eq!(received(link.next()).packet_id, Some(50));
    }
}

#[test]
fn a_topic_alias_stands_for_the_topic_that_it_came_with() {
    let mut link = Link::connected(V5);
    let with = |topic: &[u8], alias: u8| {
        let length = u8::try_from(topic.len()).unwrap();
        packet(0x30, &[&[0, length], topic, &[3, 0x23, 0, alias]].concat())
    };
    for (topic, alias, meant) in [
        ("a", 1, "a"),
        ("", 1, "a"),
        ("b", 8, "b"),
        ("", 1, "a"),
        ("c", 1, "c"),
        ("", 1, "c"),
        ("", 8, "b"),
    ] {
        let message = received(link.receive(&with(topic.as_bytes(), alias)));
        assert_eq!((message.topic.as_str(), message.topic_alias), (meant, None));
    }
    // Aliases do not carry over to another connection (MQTT-3.3.2-7).
    assert_eq!(
        protocol_error(&Link::connected(V5).close(&with(b"", 1))).1,
        "MQTT 5.0, 3.3.2.3.4"
    );
}

#[test]
fn a_message_with_too_many_user_properties_is_refused_and_no_more() {
    let mut link = Link::connected(V5);
    let user = [0x26, 0, 0, 0, 0].repeat(MAX_USER_PROPERTIES + 1);
    let with = |flags, id: &[u8]| super::super::publish(flags, id, &user, 1);
    assert_eq!(link.receive(&with(2, &[0, 7])), None);
    let puback = link.sent();
    assert_eq!((puback[0], &puback[2..5]), (0x40, &[0, 7, 0x97][..]));
    assert_eq!(link.receive(&with(0, &[])), None);
    assert_eq!((link.sent(), link.server.ignored()), (Vec::new(), 2));
}

#[test]
fn a_retained_message_is_a_protocol_error_where_nothing_is_retained() {
    let options = ServerOptions {
        retain_available: false,
        ..ServerOptions::default()
    };
    for (version, connect, statement) in [(V5, CONNECT_5, "MQTT-3.2.2-14"), (V3, CONNECT_3, "MQTT 3.1.1, 3.3.1.3")] {
        let mut link = accepted_with(options, connect);
        assert_eq!(protocol_error(&link.close(&publish(version, 1, 0))), (0x9a, statement));
    }
}
