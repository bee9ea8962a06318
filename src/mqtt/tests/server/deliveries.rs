//! Messages to a client: packet identifiers, its window, the packets that it accepts.

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

#[test]
fn deliveries_respect_the_window_of_the_client() {
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
    // A refusal frees its slot as well; a PUBACK for a message that was not sent is ignored (MQTT-4.4.0-2).
    let refused = Some(Action::Acknowledged(2, ReasonCode::NOT_AUTHORIZED));
    assert_eq!(link.receive(b"\x40\x03\x00\x02\x87"), refused);
    assert_eq!(
        (link.receive(b"\x40\x02\x00\x02\x40\x02\x00\x09"), link.server.ignored()),
        (None, 2)
    );
    assert_eq!(link.server.deliver(&delivery(Qos::AtLeastOnce)), Ok(Some(3)));

    // MQTT 3.1.1 has no properties, so the server's own window applies.
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
    // A message that the client had acknowledged before it was sent again.
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
fn messages_that_the_client_cannot_accept_are_not_sent() {
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
