//! A complete conversation in memory, between both sides of this module.

use super::*;
use crate::messages::{Message, Properties};

/// Our client connected to our server, with a buffer in each direction.
struct Pair {
    client: Client,
    link: Link,
    to_client: BytesMut,
    to_server: BytesMut,
    framer: Framer,
}

impl Pair {
    /// Sends CONNECT and returns the action for the driver.
    fn connect(will: Option<&Message>) -> (Link, Connect) {
        let request = ConnectRequest {
            client_id: "gw-1",
            clean_start: false,
            keep_alive: Duration::from_secs(30),
            session_expiry: Duration::from_secs(600),
            will,
        };
        let mut bytes = BytesMut::new();
        encode(&mut bytes, &Packet::Connect(Box::new(request.packet())), V5).unwrap();
        let mut link = Link::new();
        match link.receive(&bytes) {
            Some(Action::Connect(connect)) => (link, *connect),
            other => panic!("{other:?}"),
        }
    }

    /// Accepts the CONNECT and lets the client read CONNACK.
    fn accept(mut link: Link, acceptance: Acceptance) -> Self {
        link.server.accept(acceptance, link.now);
        let mut to_client = link.server.output().split();
        let mut framer = Framer::new(Sender::Server);
        let frame = framer.next(&mut to_client).unwrap().unwrap();
        let Ok(Packet::Connack(connack)) = decode(frame, Sender::Server, V5) else {
            panic!("CONNACK");
        };
        let limits = ServerLimits::read(&connack, "gw-1").unwrap().unwrap();
        Self {
            client: Client::new(limits),
            link,
            to_client,
            to_server: BytesMut::new(),
            framer,
        }
    }

    /// Decodes the bytes that the client has received.
    fn client_reads(&mut self) -> Vec<Incoming> {
        self.to_client.unsplit(self.link.server.output().split());
        let mut incoming = Vec::new();
        while let Some(frame) = self.framer.next(&mut self.to_client).unwrap() {
            let packet = decode(frame, Sender::Server, V5).unwrap();
            incoming.push(self.client.receive(packet).unwrap());
        }
        incoming
    }

    fn server_reads(&mut self) -> Option<Action> {
        self.link.input.unsplit(self.to_server.split());
        self.link.next()
    }
}

fn message(topic: &str, payload: &'static str) -> Message {
    Message {
        topic: topic.into(),
        payload: payload.into(),
        properties: Properties {
            content_type: Some("text/plain".into()),
            user_properties: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
            ..Properties::default()
        },
        ..Message::default()
    }
}

fn deliver(message: &Message) -> Delivery<'_> {
    Delivery {
        topic: &message.topic,
        qos: Qos::AtLeastOnce,
        retain: false,
        subscription_identifiers: &[],
        properties: &message.properties,
        payload: &message.payload,
    }
}

#[test]
fn a_program_connects_subscribes_publishes_is_taken_over_and_leaves() {
    let will = message("gw-1/gone", "yes");
    let (link, connect) = Pair::connect(Some(&will));
    assert_eq!(
        (connect.client_id.as_str(), connect.keep_alive, connect.clean_start),
        ("gw-1", 30, false)
    );
    let session_expiry = Some(300);
    let mut first = Pair::accept(
        link,
        Acceptance {
            session_expiry,
            ..Acceptance::default()
        },
    );
    let limits = *first.client.limits();
    assert!(!limits.session_present && limits.maximum_qos == Qos::AtLeastOnce && !limits.shared_available);
    assert_eq!(
        (limits.session_expiry, limits.receive_maximum),
        (Some(Duration::from_secs(300)), 100)
    );

    // SUBSCRIBE with a filter that is refused.
    let filters = [
        ("gw-1/in".to_owned(), Qos::AtLeastOnce),
        ("other/in".to_owned(), Qos::AtLeastOnce),
    ];
    let id = first.client.subscribe(&filters, &mut first.to_server).unwrap();
    let Some(Action::Subscribe(request)) = first.server_reads() else {
        panic!("SUBSCRIBE");
    };
    assert_eq!((request.packet_id, request.subscriptions.len()), (id, 2));
    let granted = [Ok(Qos::AtLeastOnce), Err(ReasonCode::NOT_AUTHORIZED)];
    first.link.server.suback(id, &granted, Some("no rule"));
    let [Incoming::Subscribed(_, answers, words)] = &first.client_reads()[..] else {
        panic!("SUBACK");
    };
    assert_eq!((&answers[..], words.as_deref()), (&granted[..], Some("no rule")));

    // PUBLISH of the program, acknowledged once it is stored.
    let out = message("gw-1/out", "hello");
    let id = first.client.publish(&out, true, &mut first.to_server).unwrap().unwrap();
    let Some(Action::Publish(published)) = first.server_reads() else {
        panic!("PUBLISH");
    };
    assert_eq!(
        (&published.topic, &published.payload, &published.properties),
        (&out.topic, &out.payload, &out.properties)
    );
    assert!(first.client_reads().is_empty());
    first.link.server.puback(id, ReasonCode::SUCCESS, None);
    assert!(matches!(first.client_reads()[..], [Incoming::Acknowledged(acknowledged, _)] if acknowledged == id));

    // Two messages to the program, which acknowledges one before the same client connects again.
    let (one, two) = (message("gw-1/in", "1"), message("gw-1/in", "2"));
    let ids = [&one, &two].map(|message| first.link.server.deliver(&deliver(message)).unwrap().unwrap());
    let incoming = first.client_reads();
    assert!(
        matches!(&incoming[..], [Incoming::Message(Some(_), received), Incoming::Message(Some(_), _)]
        if received.properties == one.properties && received.payload == one.payload)
    );
    first
        .client
        .acknowledge(ids[0], ReasonCode::SUCCESS, &mut first.to_server);
    assert_eq!(
        first.server_reads(),
        Some(Action::Acknowledged(ids[0], ReasonCode::SUCCESS))
    );
    let in_flight: Vec<_> = first.link.server.in_flight().collect();
    assert_eq!(in_flight, [ids[1]]);
    let (link, _) = Pair::connect(Some(&will));
    let close = first.link.server.take_over(true);
    assert_eq!((close.cause, close.session_expiry), (CloseCause::TakenOver, 300));
    assert!(
        close
            .will
            .is_some_and(|due| due.will.topic == "gw-1/gone" && due.delay.is_zero())
    );
    assert!(
        matches!(&first.client_reads()[..], [Incoming::Disconnected(reason)] if reason.code == ReasonCode::SESSION_TAKEN_OVER)
    );

    // The session is resumed: the unacknowledged message is sent again with its packet identifier.
    let mut second = Pair::accept(
        link,
        Acceptance {
            session_present: true,
            in_flight,
            ..Acceptance::default()
        },
    );
    assert!(second.client.limits().session_present);
    second.link.server.redeliver(ids[1], &deliver(&two)).unwrap();
    assert!(
        matches!(&second.client_reads()[..], [Incoming::Message(Some(id), received)]
        if *id == ids[1] && received.payload == two.payload)
    );
    second
        .client
        .acknowledge(ids[1], ReasonCode::SUCCESS, &mut second.to_server);
    assert!(matches!(second.server_reads(), Some(Action::Acknowledged(..))));
    assert_eq!(second.link.server.in_flight().count(), 0);
    let id = second
        .client
        .unsubscribe(&["gw-1/in".to_owned()], &mut second.to_server)
        .unwrap();
    assert!(matches!(second.server_reads(), Some(Action::Unsubscribe(_))));
    second.link.server.unsuback(id, &[ReasonCode::SUCCESS]);
    assert!(matches!(second.client_reads()[..], [Incoming::Unsubscribed(_)]));

    // The client disconnects, and requests the publication of its will.
    encode(&mut second.to_server, &Packet::Pingreq, V5).unwrap();
    second.to_server.extend_from_slice(b"\xe0\x01\x04");
    let Some(Action::Close(close)) = second.server_reads() else {
        panic!("DISCONNECT");
    };
    assert!(matches!(second.client_reads()[..], [Incoming::Pong]));
    assert!(
        close
            .will
            .as_ref()
            .is_some_and(|due| due.will.payload == will.payload && due.will.properties == will.properties)
    );
    assert!(matches!(close.cause, CloseCause::Disconnected(reason) if reason.code == ReasonCode::DISCONNECT_WITH_WILL));
    assert_eq!(close.session_expiry, 600);
}
