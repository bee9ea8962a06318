//! How messages of AWS reach programs, and what AWS hears of them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::program::{at, client, kept_client, publish};
use super::{Program, online};
use crate::local::testing::{Bench, USER, received};
use crate::messages::{AckOutcome, Properties, Received};
use crate::mqtt::packet::{Connect, SubscriptionOptions};
use crate::mqtt::{Packet, Property, ProtocolVersion, ReasonCode};
use crate::qos::Qos;

const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5: ProtocolVersion = ProtocolVersion::V5;
const ZERO: Qos = Qos::AtMostOnce;
const ONE: Qos = Qos::AtLeastOnce;

/// Connects a program that subscribes to everything of this gateway at QoS 1. AWS is not asked, because the gateway is offline.
async fn subscribed(bench: &Bench, connect: Connect) -> Program {
    bench.set_online(false);
    let mut program = Program::start(bench, USER, connect).await;
    program.subscribe(&[("gw-1/#", at(ONE))]).await;
    program
}

fn outcome(packet_id: u16, is_taken: bool) -> AckOutcome {
    AckOutcome { packet_id, is_taken }
}

/// A PUBACK with a failure code means that the program does not have the message, and it is not sent again (MQTT-4.4.0-2).
#[tokio::test(start_paused = true)]
async fn aws_hears_what_the_program_says_about_a_message() {
    online(async |mut bench| {
        for (version, code, is_taken) in [(V5, 0, true), (V5, 0x10, true), (V5, 0x83, false), (V3, 0, true)] {
            let mut program = subscribed(&bench, client(version, "c")).await;
            bench.send(Some(7), received("gw-1/a", "x", ONE)).await;
            let message = program.message().await;
            assert_eq!((message.qos, message.dup, message.retain), (ONE, false, false));
            program.expect_nothing().await;
            assert!(bench.outcomes.try_recv().is_err(), "it is not acknowledged yet");
            program.acknowledge(&message, ReasonCode(code)).await;
            assert_eq!(bench.outcomes.recv().await, Some(outcome(7, is_taken)), "{code}");
            program.disconnect(ReasonCode::SUCCESS).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_program_goes_without_acknowledging_is_not_taken() {
    online(async |mut bench| {
        let mut program = subscribed(&bench, client(V5, "c")).await;
        bench.send(Some(7), received("gw-1/a", "x", ONE)).await;
        program.message().await;
        drop(program);
        assert_eq!(bench.outcomes.recv().await, Some(outcome(7, false)));
    })
    .await;
}

/// The QoS is the lower one of the message's and the subscription's (MQTT-3.8.4-8).
#[tokio::test(start_paused = true)]
async fn a_message_at_qos_0_is_taken_once_it_is_sent() {
    online(async |mut bench| {
        bench.set_online(false);
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        for (granted, qos) in [(ZERO, ONE), (ONE, ZERO), (ZERO, ZERO)] {
            program.subscribe(&[("gw-1/a", at(granted))]).await;
            let packet_id = (qos == ONE).then_some(7);
            bench.send(packet_id, received("gw-1/a", "x", qos)).await;
            assert_eq!(program.message().await.qos, ZERO);
            if packet_id.is_some() {
                assert_eq!(bench.outcomes.recv().await, Some(outcome(7, true)));
            }
        }
    })
    .await;
}

/// MQTT-3.3.4-9.
#[tokio::test(start_paused = true)]
async fn no_more_messages_are_in_flight_than_the_receive_maximum() {
    online(async |bench| {
        let connect = Connect {
            properties: vec![Property::ReceiveMaximum(1)],
            ..client(V5, "c")
        };
        let mut program = subscribed(&bench, connect).await;
        for id in 1..=3 {
            bench.send(Some(id), received("gw-1/a", &id.to_string(), ONE)).await;
        }
        bench.send(None, received("gw-1/a", "at QoS 0", ZERO)).await;
        for expected in ["1", "2"] {
            let message = program.message().await;
            assert_eq!(&message.payload[..], expected.as_bytes());
            program.expect_nothing().await;
            program.acknowledge(&message, ReasonCode::SUCCESS).await;
        }
        // A message at QoS 0 needs no room, and does not overtake.
        for expected in [&b"3"[..], b"at QoS 0"] {
            assert_eq!(&program.message().await.payload[..], expected);
        }
    })
    .await;
}

/// MQTT-3.1.2-24, MQTT-3.1.2-25: the message counts as handled.
#[tokio::test(start_paused = true)]
async fn a_message_larger_than_the_program_accepts_is_dropped_and_counted() {
    online(async |mut bench| {
        let connect = Connect {
            properties: vec![Property::MaximumPacketSize(40)],
            ..client(V5, "c")
        };
        let mut program = subscribed(&bench, connect).await;
        bench.send(Some(1), received("gw-1/a", &"x".repeat(40), ONE)).await;
        assert_eq!(bench.outcomes.recv().await, Some(outcome(1, false)));
        bench.send(Some(2), received("gw-1/a", "small", ONE)).await;
        assert_eq!(&program.message().await.payload[..], b"small");
        assert_eq!(bench.context.mqtt.log.counts.delivery_dropped.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_acknowledge_is_disconnected_and_may_not_subscribe_at_once() {
    online(async |mut bench| {
        for (is_window_full, seconds) in [(false, 30..=31), (true, 5..=6)] {
            bench.is_window_full.store(is_window_full, Ordering::Relaxed);
            let mut program = subscribed(&bench, client(V5, "c")).await;
            let began = Instant::now();
            bench.send(Some(7), received("gw-1/a", "x", ONE)).await;
            program.message().await;
            program.expect_end(0x97).await;
            assert!(seconds.contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
            assert_eq!(bench.outcomes.recv().await, Some(outcome(7, false)));
            let mut program = Program::start(&bench, USER, client(V5, "c")).await;
            let (answers, _) = program.subscribe(&[("gw-1/#", at(ONE))]).await;
            assert_eq!(answers, [ReasonCode::QUOTA_EXCEEDED]);
            program.disconnect(ReasonCode::SUCCESS).await;
            bench.clock.pass(Duration::from_secs(3600));
        }
    })
    .await;
}

/// MQTT 5.0, 3.3.4: one copy, at the highest granted QoS, with the identifiers of all matching subscriptions.
#[tokio::test(start_paused = true)]
async fn overlapping_subscriptions_give_one_copy() {
    online(async |bench| {
        bench.set_online(false);
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        program
            .subscribe(&[("gw-1/#", at(ZERO)), ("gw-1/+", at(ONE)), ("gw-1/a", at(ZERO))])
            .await;
        bench.send(Some(1), received("gw-1/a", "x", ONE)).await;
        let message = program.message().await;
        assert_eq!(message.qos, ONE);
        program.acknowledge(&message, ReasonCode::SUCCESS).await;
        program.expect_nothing().await;
    })
    .await;
}

/// MQTT-3.8.3-3: AWS sends the gateway's own messages back.
#[tokio::test(start_paused = true)]
async fn with_no_local_a_program_does_not_get_its_own_message_back() {
    online(async |mut bench| {
        bench.set_online(false);
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        let options = SubscriptionOptions {
            no_local: true,
            ..at(ONE)
        };
        program.subscribe(&[("gw-1/open/#", options)]).await;
        program.publish("gw-1/open/a", "own").await;
        for (topic, payload) in [
            ("gw-1/open/a", "own"),
            ("gw-1/open/a", "another's"),
            ("gw-1/open/a", "own"),
        ] {
            bench.send(Some(1), received(topic, payload, ONE)).await;
        }
        for expected in ["another's", "own"] {
            let message = program.message().await;
            assert_eq!(
                &message.payload[..],
                expected.as_bytes(),
                "an equal message of another comes once more"
            );
            program.acknowledge(&message, ReasonCode::SUCCESS).await;
        }
        assert_eq!(bench.outcomes.recv().await.map(|outcome| outcome.is_taken), Some(false));
    })
    .await;
}

/// MQTT 3.1.1, 4.1 lets a server keep messages at QoS 0 for an absent client; like AWS IoT, gatepost keeps none.
#[tokio::test(start_paused = true)]
async fn an_absent_client_gets_the_messages_at_qos_1_and_none_at_qos_0() {
    online(async |mut bench| {
        for version in [V3, V5] {
            let program = subscribed(&bench, kept_client(version, "c")).await;
            program.disconnect(ReasonCode::SUCCESS).await;
            let properties = Properties {
                message_expiry: Some(60),
                ..Properties::default()
            };
            let expiring = |payload: &str| Received {
                properties: properties.clone(),
                ..received("gw-1/a", payload, ONE)
            };
            bench.send(None, received("gw-1/a", "at QoS 0", ZERO)).await;
            bench.send(Some(1), expiring("too old")).await;
            assert_eq!(bench.outcomes.recv().await, Some(outcome(1, true)), "it is on the disk");
            bench.clock.pass(Duration::from_secs(61));
            bench.send(Some(2), expiring("in time")).await;
            bench.send(Some(3), received("gw-1/a", "last", ONE)).await;
            for id in [2, 3] {
                assert_eq!(bench.outcomes.recv().await, Some(outcome(id, true)));
            }
            bench.clock.pass(Duration::from_secs(20));
            let mut program = Program::start(&bench, USER, kept_client(version, "c")).await;
            for (payload, left) in [("in time", Some(40)), ("last", None)] {
                let message = program.message().await;
                assert_eq!((&message.payload[..], message.dup), (payload.as_bytes(), false));
                assert_eq!(message.properties.message_expiry, left.filter(|_| version == V5));
                program.acknowledge(&message, ReasonCode::SUCCESS).await;
            }
            program.expect_nothing().await;
            program.disconnect(ReasonCode::SUCCESS).await;
        }
    })
    .await;
}

/// MQTT-4.4.0-1: with DUP and the same packet identifier, in their order.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_resumed_gets_again_what_it_has_not_acknowledged() {
    online(async |bench| {
        for version in [V3, V5] {
            let mut program = subscribed(&bench, kept_client(version, "c")).await;
            for payload in ["1", "2", "3"] {
                bench.send(Some(1), received("gw-1/a", payload, ONE)).await;
            }
            let mut first = Vec::new();
            for _ in 0..3 {
                first.push(program.message().await);
            }
            program.acknowledge(&first[1], ReasonCode::SUCCESS).await;
            program.send(&publish("gw-1/open/a", "x", None)).await;
            program.disconnect(ReasonCode::SUCCESS).await;
            let mut program = Program::start(&bench, USER, kept_client(version, "c")).await;
            for before in [&first[0], &first[2]] {
                let again = program.message().await;
                assert!(again.dup && again.payload == before.payload && again.packet_id == before.packet_id);
                program.acknowledge(&again, ReasonCode::SUCCESS).await;
            }
            program.send(&Packet::Pingreq).await;
            assert_eq!(program.receive().await, Some(Packet::Pingresp));
            program.disconnect(ReasonCode::SUCCESS).await;
        }
    })
    .await;
}
