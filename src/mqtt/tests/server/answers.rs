//! SUBSCRIBE, UNSUBSCRIBE and their answers, reason strings, PINGREQ.

use super::*;
use crate::mqtt::packet::{RetainHandling, SubscriptionOptions};

fn subscriptions(action: Option<Action>) -> Vec<Subscription> {
    match action {
        Some(Action::Subscribe(request)) => request.subscriptions,
        other => panic!("{other:?}"),
    }
}

const TWO_5: &[u8] = b"\x82\x0b\x00\x07\x00\x00\x01a\x2d\x00\x01b\x02";
const TWO_3: &[u8] = b"\x82\x0a\x00\x07\x00\x01a\x01\x00\x01b\x02";

#[test]
fn subscription_options_come_through() {
    let mut link = Link::connected(V5);
    let expected = SubscriptionOptions {
        qos: Qos::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let all = subscriptions(link.receive(TWO_5));
    assert_eq!((all[0].filter.as_str(), all[0].options), ("a", expected));
    assert_eq!(all[1].options.qos, Qos::ExactlyOnce, "granted lower (MQTT-3.2.2-10)");

    // A bridge is not sent its own messages, and needs the retain flags.
    let plain = subscriptions(Link::connected(V3).receive(TWO_3));
    let bridge = connect(0x84, 2, &[], b"\x00\x02gw");
    let bridged = subscriptions(Link::accepted(&bridge, Acceptance::default()).receive(TWO_3));
    let flags = |one: &Subscription| (one.options.no_local, one.options.retain_as_published);
    assert!(plain.iter().all(|one| flags(one) == (false, false)));
    assert!(bridged.iter().all(|one| flags(one) == (true, true)));
}

#[test]
fn each_filter_is_answered_in_its_order_with_a_code_of_its_version() {
    let quota = Err(ReasonCode::QUOTA_EXCEEDED);
    let (one, two) = (Ok(Qos::AtLeastOnce), Ok(Qos::ExactlyOnce));
    let odd = Err(ReasonCode::BANNED);
    for (granted, in_5, in_3) in [
        (vec![one, quota], [1, 0x97], [1, 0x80]),
        (vec![Ok(Qos::AtMostOnce), two], [0, 1], [0, 1]),
        (vec![odd, one], [0x83, 1], [0x80, 1]),
        (vec![one], [1, 0x80], [1, 0x80]),
        (vec![one, one, one], [1, 1], [1, 1]),
    ] {
        let answer = |version, bytes: &[u8]| {
            let mut link = Link::connected(version);
            assert_eq!(subscriptions(link.receive(bytes)).len(), 2);
            link.server.suback(8, &granted, None);
            link.server.suback(7, &granted, None);
            link.server.suback(7, &granted, None);
            link.sent()
        };
        assert_eq!(
            answer(V5, TWO_5),
            [&b"\x90\x05\x00\x07\x00"[..], &in_5].concat(),
            "{granted:?}"
        );
        assert_eq!(
            answer(V3, TWO_3),
            [&b"\x90\x04\x00\x07"[..], &in_3].concat(),
            "{granted:?}"
        );
    }
}

#[test]
fn unsubscribing_is_answered_even_where_nothing_was_subscribed() {
    for (version, request, answer) in [
        (
            V5,
            &b"\xa2\x09\x00\x07\x00\x00\x01a\x00\x01b"[..],
            &b"\xb0\x05\x00\x07\x00\x00\x11"[..],
        ),
        (V3, b"\xa2\x08\x00\x07\x00\x01a\x00\x01b", b"\xb0\x02\x00\x07"),
    ] {
        let mut link = Link::connected(version);
        let Some(Action::Unsubscribe(request)) = link.receive(request) else {
            panic!("UNSUBSCRIBE");
        };
        assert_eq!(request.filters, ["a", "b"]);
        link.server
            .unsuback(7, &[ReasonCode::SUCCESS, ReasonCode::NO_SUBSCRIPTION_EXISTED]);
        assert_eq!(link.sent(), answer);
    }
}

#[test]
fn a_subscription_identifier_is_a_protocol_error_where_there_is_none() {
    let subscribe = b"\x82\x09\x00\x07\x02\x0b\x05\x00\x01a\x01";
    let Some(Action::Subscribe(request)) = Link::connected(V5).receive(subscribe) else {
        panic!("SUBSCRIBE");
    };
    assert_eq!(request.properties, [Property::SubscriptionIdentifier(5)]);
    let mut link = Link::with(ServerOptions {
        subscription_identifiers_available: false,
        ..ServerOptions::default()
    });
    link.receive(CONNECT_5);
    link.server.accept(Acceptance::default(), link.now);
    assert!(link.sent().windows(2).any(|pair| pair == [0x29, 0]), "CONNACK says so");
    assert_eq!(protocol_error(&link.close(subscribe)), (0xa1, "MQTT 5.0, 3.2.2.3.12"));
}

#[test]
fn words_are_sent_where_the_client_wants_and_accepts_them() {
    let words = Some("why");
    let answers = |properties: &[u8]| {
        let mut link = Link::accepted(&connect(5, 2, properties, b"\x00\x02gw"), Acceptance::default());
        link.receive(&publish(V5, 2, 7));
        link.receive(b"\x82\x07\x00\x08\x00\x00\x01a\x00");
        link.server.puback(7, ReasonCode::NOT_AUTHORIZED, words);
        link.server.suback(8, &[Err(ReasonCode::NOT_AUTHORIZED)], words);
        link.server.disconnect(ReasonCode::SERVER_SHUTTING_DOWN, words);
        link.sent()
    };
    let all: &[u8] = b"\x40\x0a\x00\x07\x87\x06\x1f\x00\x03why\x90\x0a\x00\x08\x06\x1f\x00\x03why\x87\xe0\x08\x8b\x06\x1f\x00\x03why";
    assert_eq!(answers(&[]), all);
    assert_eq!(answers(&[0x17, 1]), all);
    // MQTT-3.1.2-29: DISCONNECT may still have them.
    assert_eq!(
        answers(&[0x17, 0]),
        b"\x40\x03\x00\x07\x87\x90\x04\x00\x08\x00\x87\xe0\x08\x8b\x06\x1f\x00\x03why"
    );
}

#[test]
fn a_client_that_accepts_less_than_an_answer_is_let_go() {
    let narrow = |most| connect(5, 2, &[0x27, 0, 0, 0, most], b"\x00\x02gw");
    let mut link = Link::new();
    link.receive(&narrow(10));
    link.server.accept(Acceptance::default(), link.now);
    assert_eq!(link.sent(), b"\x20\x03\x00\x95\x00", "CONNACK with success is larger");
    assert!(matches!(link.next(), Some(Action::Close(close)) if close.cause == CloseCause::ClientTooNarrow));
    assert_eq!(link.next(), None);

    // A SUBACK that is larger.
    let mut link = Link::accepted(&narrow(40), Acceptance::default());
    let filters = [0, 1, b'a', 0].repeat(40);
    link.receive(&packet(0x82, &[&[0, 1, 0][..], &filters].concat()));
    link.server.suback(1, &[Ok(Qos::AtMostOnce); 40], None);
    assert_eq!(link.sent(), b"\xe0\x01\x95");
    assert!(matches!(link.next(), Some(Action::Close(close)) if close.cause == CloseCause::ClientTooNarrow));
}

#[test]
fn pingreq_is_answered_without_asking_and_bounded() {
    for version in [V5, V3] {
        let mut link = Link::connected(version);
        assert_eq!(link.receive(b"\xc0\x00\xc0\x00"), None);
        assert_eq!(link.sent(), b"\xd0\x00\xd0\x00");
        // A client that sends requests and never reads.
        link.input.extend_from_slice(&b"\xc0\x00".repeat(MAX_OUTPUT));
        assert_eq!(link.next(), None);
        assert!(link.server.output().len() <= MAX_OUTPUT + 2 && !link.input.is_empty());
    }
}

#[test]
fn lengths_of_a_fixed_size_are_read_in_3_1_1() {
    let mut link = Link::new();
    let connect = [b"\x10\x8e\x80\x80\x00", &CONNECT_3[2..]].concat();
    assert!(matches!(link.receive(&connect), Some(Action::Connect(_))));
    link.server.accept(Acceptance::default(), link.now);
    link.sent();
    assert_eq!(link.receive(b"\xc0\x80\x00"), None);
    assert_eq!(link.sent(), b"\xd0\x00");
}

#[test]
fn requests_without_an_answer_hold_the_next_ones_up() {
    let mut link = Link::connected(V3);
    let subscribe = |id: u8| packet(0x82, &[0, id, 0, 1, b'a', 0]);
    for id in 1..=u8::try_from(MAX_REQUESTS).unwrap() {
        assert!(link.receive(&subscribe(id)).is_some());
    }
    assert_eq!(link.receive(&subscribe(100)), None);
    assert!(link.server.is_waiting());
    link.server.suback(1, &[Ok(Qos::AtMostOnce)], None);
    assert!(matches!(link.next(), Some(Action::Subscribe(request)) if request.packet_id == 100));
}
