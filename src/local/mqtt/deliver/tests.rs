use std::sync::Arc;

use super::super::testing::{connected_server, receive, sent};
use super::*;
use crate::messages::{AckOutcome, Properties, Received};
use crate::mqtt::Packet;
use crate::mqtt::packet::{Acknowledgement, Publish};

/// A message of the inbox; the session has stored it under this number, `age` seconds ago.
fn queued(stored: Option<(i64, u64)>, expiry: Option<u32>, payload: usize) -> QueuedMessage {
    let received = |age| SystemTime::UNIX_EPOCH + Duration::from_secs(1000) - Duration::from_secs(age);
    QueuedMessage {
        message: Arc::new(Received {
            topic: "t".to_owned(),
            payload: vec![b'x'; payload].into(),
            qos: Qos::AtLeastOnce,
            properties: Properties {
                message_expiry: expiry,
                ..Properties::default()
            },
            ..Received::default()
        }),
        ack: AckGuard::none(),
        stored: stored.map(|(number, age)| (number, received(age))),
        since: Instant::now(),
    }
}

fn deliveries(sent: i64) -> Deliveries {
    Deliveries::new(StoredMessages::new(Some(sent), 0))
}

fn found(qos: Qos) -> Match {
    Match {
        qos,
        retain: false,
        identifiers: Vec::new(),
    }
}

/// Sends a message and records it. Returns the outcome, and the PUBLISH that the client gets.
fn send(deliveries: &mut Deliveries, server: &mut Server, queued: QueuedMessage, qos: Qos) -> (Outcome, Vec<Publish>) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    let outcome = deliveries.send_one(&queued, &found(qos), server, now);
    if let Ok(sent) = outcome {
        deliveries.record(queued, sent);
    }
    let packets = sent(server).into_iter().map(|packet| match packet {
        Packet::Publish(publish) => publish,
        other => panic!("{other:?}"),
    });
    (outcome, packets.collect())
}

type Outcome = Result<Sent, NotDelivered>;

#[test]
fn a_message_has_the_granted_quality_of_service_and_what_is_left_of_its_expiry() {
    let (zero, one) = (Qos::AtMostOnce, Qos::AtLeastOnce);
    let skipped = Ok(None);
    for (stored, expiry, qos, outcome, packet) in [
        // (stored, expiry, granted; outcome; packet identifier, DUP and expiry in the packet)
        (None, None, zero, Ok(Some(None)), Some((None, false, None))),
        (None, None, one, Ok(Some(Some(1))), Some((Some(1), false, None))),
        // A live message has just come from AWS, which counts its expiry.
        (None, Some(9), one, Ok(Some(Some(1))), Some((Some(1), false, Some(9)))),
        (
            Some((70_000, 0)),
            None,
            one,
            Ok(Some(Some(4465))),
            Some((Some(4465), false, None)),
        ),
        (Some((4, 0)), None, one, Ok(Some(Some(4))), Some((Some(4), true, None))),
        (Some((9, 0)), None, zero, Ok(Some(None)), Some((None, false, None))),
        (
            Some((9, 8)),
            Some(9),
            one,
            Ok(Some(Some(9))),
            Some((Some(9), false, Some(1))),
        ),
        (Some((9, 9)), Some(9), one, skipped, None),
        (Some((9, 10)), Some(9), zero, skipped, None),
    ] {
        let mut server = connected_server();
        let (sent, packets) = send(&mut deliveries(5), &mut server, queued(stored, expiry, 1), qos);
        let case = format!("{stored:?} {expiry:?} {qos:?}");
        assert_eq!(sent, outcome, "{case}");
        let seen = packets.first();
        let seen = seen.map(|publish| (publish.packet_id, publish.dup, publish.properties.message_expiry));
        assert_eq!(seen, packet, "{case}");
    }
}

#[test]
fn a_message_is_sent_only_if_the_client_accepts_it_now() {
    let mut server = connected_server();
    let mut deliveries = deliveries(0);
    let mut outcome = |stored, payload| {
        let one = queued(stored, None, payload);
        send(&mut deliveries, &mut server, one, Qos::AtLeastOnce).0
    };
    assert_eq!(outcome(Some((1, 0)), 1), Ok(Some(Some(1))));
    // The packet identifier of an older stored message is in use.
    assert_eq!(outcome(Some((65_536, 0)), 1), Err(NotDelivered::WindowFull));
    assert_eq!(outcome(None, 100), Err(NotDelivered::TooLarge));
    assert!(matches!(outcome(None, 1), Ok(Some(Some(_)))));
    assert_eq!(
        outcome(None, 1),
        Err(NotDelivered::WindowFull),
        "its Receive Maximum is 2"
    );
}

#[test]
fn a_stored_message_is_deleted_once_it_is_acknowledged_refused_expired_or_sent_at_qos_0() {
    for (expiry, qos, puback, is_done) in [
        (None, Qos::AtLeastOnce, None, false),
        (None, Qos::AtLeastOnce, Some(ReasonCode::SUCCESS), true),
        (None, Qos::AtLeastOnce, Some(ReasonCode::UNSPECIFIED_ERROR), true),
        (None, Qos::AtMostOnce, None, true),
        (Some(1), Qos::AtLeastOnce, None, true),
    ] {
        let (mut server, mut deliveries) = (connected_server(), deliveries(0));
        let (_, packets) = send(&mut deliveries, &mut server, queued(Some((3, 1)), expiry, 1), qos);
        let case = format!("{expiry:?} {qos:?} {puback:?}");
        if let Some(code) = puback {
            let packet_id = packets[0].packet_id.unwrap();
            let acknowledgement = Acknowledgement {
                packet_id,
                code,
                properties: Vec::new(),
            };
            assert!(
                receive(&mut server, &Packet::Puback(acknowledgement)).is_some(),
                "{case}"
            );
            deliveries.acknowledge(packet_id, code);
            // A repeated PUBACK changes nothing.
            deliveries.acknowledge(packet_id, code);
        }
        assert_eq!(deliveries.has_done(), is_done, "{case}");
        assert_eq!(deliveries.in_flight.is_empty(), is_done, "{case}");
        let numbers: &[i64] = if is_done { &[3] } else { &[] };
        assert_eq!(deliveries.take_done(), numbers, "{case}");
        assert!(!deliveries.has_done());
    }
}

#[test]
fn a_client_is_late_with_messages_that_aws_waits_for() {
    let start = Instant::now();
    let deliveries = deliveries(0);
    for (blocks_others, limit) in [(false, ACK_TIMEOUT), (true, BLOCKING_ACK_TIMEOUT)] {
        let waiting = Some((start, blocks_others));
        assert!(!deliveries.is_late(waiting, start + limit - Duration::from_millis(1)));
        assert!(deliveries.is_late(waiting, start + limit));
    }
    assert!(!deliveries.is_late(None, start + Duration::from_secs(1000)));
    // Nobody waits for a stored message, so its client has all the time it wants.
    let (mut server, mut stored) = (connected_server(), Deliveries::new(StoredMessages::new(Some(0), 0)));
    let one = queued(Some((1, 0)), None, 1);
    assert!(send(&mut stored, &mut server, one, Qos::AtLeastOnce).0.is_ok());
    assert!(!stored.in_flight.is_empty() && !stored.is_late(None, start + Duration::from_secs(1000)));
}

#[test]
fn the_acknowledgements_of_a_turn_are_passed_on_together() {
    let (mut deliveries, mut server) = (deliveries(0), connected_server());
    let (session, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    for packet_id in [11, 12] {
        let ack = AckGuard::new(packet_id, session.clone(), Arc::default());
        let message = QueuedMessage {
            ack,
            ..queued(None, None, 1)
        };
        assert!(send(&mut deliveries, &mut server, message, Qos::AtLeastOnce).0.is_ok());
    }
    deliveries.acknowledge(2, ReasonCode::QUOTA_EXCEEDED);
    deliveries.acknowledge(1, ReasonCode::SUCCESS);
    assert!(outcomes.try_recv().is_err(), "the turn has not ended");
    deliveries.release();
    for (packet_id, is_taken) in [(12, false), (11, true)] {
        assert_eq!(outcomes.try_recv(), Ok(AckOutcome { packet_id, is_taken }));
    }
    assert!(outcomes.try_recv().is_err());
}
