//! Messages in both directions: packet identifiers, windows, topic aliases, sizes.

use super::*;
use crate::messages::Properties;

fn delivery(qos: Qos) -> Delivery<'static> {
    const NONE: &Properties = &Properties {
        content_type: None,
        response_topic: None,
        correlation_data: None,
        payload_format_indicator: None,
        message_expiry: None,
        user_properties: Vec::new(),
    };
    Delivery {
        topic: "t",
        qos,
        retain: false,
        subscription_identifiers: &[],
        properties: NONE,
        payload: b"x",
    }
}

fn options(receive_maximum: u16) -> ServerOptions {
    ServerOptions {
        receive_maximum,
        ..ServerOptions::default()
    }
}

fn accepted_with(options: ServerOptions, connect: &[u8]) -> Link {
    let mut link = Link::with(options);
    assert!(matches!(link.receive(connect), Some(Action::Connect(_))));
    link.server.accept(Acceptance::default(), link.now);
    link.sent();
    link
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
        // Afterwards the same packet identifier is another message, whatever DUP says (MQTT-4.3.2-5).
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
fn a_packet_identifier_in_use_is_a_breach() {
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
                breach(&link.close(second)),
                (0x82, statement),
                "{first:02x?} {second:02x?}"
            );
        }
    }
}

#[test]
fn more_messages_than_the_receive_maximum_are_a_breach_or_wait() {
    let mut link = accepted_with(options(2), CONNECT_5);
    for id in 1..=2 {
        received(link.receive(&publish(V5, 2, id)));
    }
    assert!(
        matches!(link.receive(&publish(V5, 0, 0)), Some(Action::Publish(_))),
        "quality of service 0 has no window"
    );
    assert_eq!(breach(&link.close(&publish(V5, 2, 3))), (0x93, "MQTT-3.3.4-7"));

    // MQTT 3.1.1 cannot say the maximum: what comes above it waits, and silence is not held against the client.
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
    // None is carried to another connection (MQTT-3.3.2-7).
    assert_eq!(
        breach(&Link::connected(V5).close(&with(b"", 1))).1,
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
fn a_retained_message_is_a_breach_where_nothing_is_retained() {
    let options = ServerOptions {
        retain_available: false,
        ..ServerOptions::default()
    };
    for (version, connect, statement) in [(V5, CONNECT_5, "MQTT-3.2.2-14"), (V3, CONNECT_3, "MQTT 3.1.1, 3.3.1.3")] {
        let mut link = accepted_with(options, connect);
        assert_eq!(breach(&link.close(&publish(version, 1, 0))), (0x9a, statement));
    }
}

#[test]
fn what_is_delivered_keeps_to_the_window_of_the_client() {
    let narrow = connect(5, 2, &[0x21, 0, 2], b"\x00\x02gw");
    let mut link = accepted_with(ServerOptions::default(), &narrow);
    assert_eq!(link.server.deliver(&delivery(Qos::AtLeastOnce)), Ok(Some(1)));
    assert_eq!(link.server.deliver(&delivery(Qos::ExactlyOnce)), Ok(Some(2)));
    assert_eq!(
        link.server.deliver(&delivery(Qos::AtLeastOnce)),
        Err(NotDelivered::WindowFull)
    );
    assert_eq!(link.server.deliver(&delivery(Qos::AtMostOnce)), Ok(None));
    let expected = b"\x32\x07\x00\x01t\x00\x01\x00x\x32\x07\x00\x01t\x00\x02\x00x\x30\x05\x00\x01t\x00x";
    assert_eq!(link.sent(), expected);
    assert_eq!(link.server.in_flight().collect::<Vec<_>>(), [1, 2]);
    // A refusal frees its place as well; what was not sent is ignored (MQTT-4.4.0-2).
    let refused = Some(Action::Acknowledged(2, ReasonCode::NOT_AUTHORIZED));
    assert_eq!(link.receive(b"\x40\x03\x00\x02\x87"), refused);
    assert_eq!(
        (link.receive(b"\x40\x02\x00\x02\x40\x02\x00\x09"), link.server.ignored()),
        (None, 2)
    );
    assert_eq!(link.server.deliver(&delivery(Qos::AtLeastOnce)), Ok(Some(3)));

    // MQTT 3.1.1 has no properties, and the window of the server.
    let options = ServerOptions {
        send_maximum: 1,
        ..ServerOptions::default()
    };
    let mut link = accepted_with(options, CONNECT_3);
    assert_eq!(link.server.deliver(&delivery(Qos::AtLeastOnce)), Ok(Some(1)));
    assert_eq!(
        link.server.deliver(&delivery(Qos::AtLeastOnce)),
        Err(NotDelivered::WindowFull)
    );
    assert_eq!(link.sent(), b"\x32\x06\x00\x01t\x00\x01x");
    assert_eq!(
        link.receive(b"\x40\x02\x00\x01"),
        Some(Action::Acknowledged(1, ReasonCode::SUCCESS))
    );
}

#[test]
fn a_resumed_session_gets_its_messages_again_under_their_packet_identifiers() {
    let connect = connect(5, 0, &[0x21, 0, 2, 0x11, 0, 0, 0, 9], b"\x00\x02gw");
    let acceptance = |session_present| Acceptance {
        session_present,
        in_flight: vec![1, 2, 4],
        ..Acceptance::default()
    };
    let mut link = Link::accepted(&connect, acceptance(true));
    assert_eq!(link.server.redeliver(1, &delivery(Qos::AtLeastOnce)), Ok(()));
    assert_eq!(
        link.server.redeliver(1, &delivery(Qos::AtLeastOnce)),
        Ok(()),
        "once is enough"
    );
    assert_eq!(link.server.redeliver(2, &delivery(Qos::AtLeastOnce)), Ok(()));
    assert_eq!(
        link.server.redeliver(4, &delivery(Qos::AtLeastOnce)),
        Err(NotDelivered::WindowFull)
    );
    assert_eq!(
        link.sent(),
        b"\x3a\x07\x00\x01t\x00\x01\x00x\x3a\x07\x00\x01t\x00\x02\x00x"
    );
    // One that the client had acknowledged before it was sent again.
    assert_eq!(
        link.receive(b"\x40\x02\x00\x04"),
        Some(Action::Acknowledged(4, ReasonCode::SUCCESS))
    );
    link.receive(b"\x40\x02\x00\x01");
    assert_eq!(
        link.server.deliver(&delivery(Qos::AtLeastOnce)),
        Ok(Some(1)),
        "it is free again"
    );
    assert_eq!(link.server.in_flight().collect::<Vec<_>>(), [1, 2]);

    let mut fresh = Link::accepted(&connect, acceptance(false));
    assert_eq!(fresh.server.deliver(&delivery(Qos::AtLeastOnce)), Ok(Some(1)));
    let mut kept = Link::accepted(&connect, acceptance(true));
    assert_eq!(
        kept.server.deliver(&delivery(Qos::AtLeastOnce)),
        Ok(Some(3)),
        "1 and 2 are the session's"
    );
}

#[test]
fn what_the_client_cannot_accept_is_not_sent() {
    let narrow = connect(5, 2, &[0x27, 0, 0, 0, 60], b"\x00\x02gw");
    let mut link = accepted_with(ServerOptions::default(), &narrow);
    let payload = [0; 60];
    let large = Delivery {
        payload: &payload,
        ..delivery(Qos::AtLeastOnce)
    };
    assert_eq!(link.server.deliver(&large), Err(NotDelivered::TooLarge));
    assert_eq!(link.server.deliver(&delivery(Qos::AtLeastOnce)), Ok(Some(2)));
    assert_eq!(link.sent(), b"\x32\x07\x00\x01t\x00\x02\x00x");

    // A client that does not read gets no more than this, and is not read.
    let mut link = Link::connected(V5);
    let payload = vec![0; 60_000];
    let large = Delivery {
        payload: &payload,
        ..delivery(Qos::AtMostOnce)
    };
    assert_eq!(
        [link.server.deliver(&large), link.server.deliver(&large)],
        [Ok(None); 2]
    );
    assert_eq!(link.server.deliver(&large), Err(NotDelivered::BufferFull));
    assert_eq!(link.server.redeliver(9, &large), Err(NotDelivered::BufferFull));
    assert_eq!(link.receive(&publish(V5, 0, 0)), None);
    link.sent();
    assert!(link.next().is_some());
}
