//! Tests of PUBLISH: messages that are accepted, and each way in which they are refused.

use super::program::{client, publish};
use super::{Program, online};
use crate::local::testing::{Bench, USER, rule};
use crate::messages::Properties;
use crate::mqtt::packet::Publish;
use crate::mqtt::{Packet, ProtocolVersion, ReasonCode};
use crate::qos::Qos;

const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// Returns the refused messages of a table: topic, properties, size of the payload, and code.
fn refused() -> Vec<(&'static str, Properties, usize, u8)> {
    let none = Properties::default;
    let with_user = |value: &str| Properties {
        user_properties: vec![("name".to_owned(), value.to_owned())],
        ..none()
    };
    let response_to = |topic: &str| Properties {
        response_topic: Some(topic.to_owned()),
        ..none()
    };
    vec![
        ("gw-1/closed/a", none(), 1, 0x87),
        ("gw-2/open/a", none(), 1, 0x87),
        ("{thing}/gatepost/status", none(), 1, 0x87),
        ("$aws/things/gw-2/shadow/update", none(), 1, 0x87),
        ("$SYS/broker/connection/bridge/state", none(), 1, 0x87),
        ("$share/group/gw-1/open/a", none(), 1, 0x87),
        ("gw-1/open/a/b/c/d/e/f/g", none(), 1, 0x90),
        ("gw-1/open/a", response_to("a/b/c/d/e/f/g/h/i"), 1, 0x90),
        ("gw-1/open/a", with_user("a\u{85}"), 1, 0x83),
        ("gw-1/open/a", with_user(&"v".repeat(9 * 1024)), 1, 0x97),
        ("gw-1/open/a", none(), 128 * 1024 + 1, 0x97),
    ]
}

fn message(topic: &str, properties: Properties, payload: usize, packet_id: Option<u16>) -> Packet {
    match publish(topic, &"x".repeat(payload), packet_id) {
        Packet::Publish(publish) => Packet::Publish(Publish { properties, ..publish }),
        other => other,
    }
}

/// Lets the connection handle what it has received.
async fn settle(program: &mut Program) {
    program.send(&Packet::Pingreq).await;
    assert_eq!(program.receive().await, Some(Packet::Pingresp));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_once_it_is_stored_under_its_real_topic() {
    online(async |bench| {
        for (version, payload) in [(V5, "first"), (V3, "second")] {
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            assert_eq!(program.publish("{thing}/open/a", payload).await, ReasonCode::SUCCESS);
            let topic = "gw-1/open/a".to_owned();
            assert_eq!(bench.stored().await.pop(), Some((topic, payload.to_owned())));
        }
        assert_eq!(bench.context.mqtt.log.counts.stored.get(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mqtt_5_has_a_code_for_each_refused_message_and_the_connection_goes_on() {
    online(async |bench| {
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        for (topic, properties, payload, code) in refused() {
            program.send(&message(topic, properties, payload, Some(1))).await;
            match program.receive().await {
                Some(Packet::Puback(puback)) => assert_eq!(puback.code, ReasonCode(code), "{topic} {payload}"),
                other => panic!("{topic} {payload}: {other:?}"),
            }
        }
        assert_eq!(program.publish("gw-1/open/a", "allowed").await, ReasonCode::SUCCESS);
        assert_eq!(bench.stored().await.len(), 1);
        assert_eq!(
            bench.context.mqtt.log.counts.messages_refused.get(),
            refused().len() as u64
        );
    })
    .await;
}

/// MQTT-3.3.5-2.
#[tokio::test(start_paused = true)]
async fn mqtt_3_1_1_has_none_and_the_connection_ends() {
    online(async |bench| {
        for (topic, properties, payload, _) in refused() {
            if properties != Properties::default() {
                continue;
            }
            let mut program = Program::start(&bench, USER, client(V3, "c")).await;
            program.send(&message(topic, properties, payload, Some(1))).await;
            assert_eq!(program.receive().await, None, "{topic} {payload}");
        }
        assert!(bench.stored().await.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_at_qos_0_has_no_answer_in_either_version() {
    online(async |mut bench| {
        for version in [V5, V3] {
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            for (topic, properties, payload, _) in refused() {
                if version == V5 || properties == Properties::default() {
                    program.send(&message(topic, properties, payload, None)).await;
                    settle(&mut program).await;
                }
            }
        }
        assert!(bench.qos0_messages.try_recv().is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_at_qos_0_is_passed_to_the_session_or_dropped_and_counted() {
    online(async |mut bench| {
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        program.send(&publish("{thing}/open/a", "now", None)).await;
        let sent = bench.qos0_messages.recv().await.unwrap();
        assert_eq!(
            (sent.message.topic.as_str(), &sent.message.payload[..]),
            ("gw-1/open/a", &b"now"[..])
        );
        sent.sent.send(Ok(())).unwrap();
        settle(&mut program).await;
        bench.set_online(false);
        program.send(&publish("{thing}/open/a", "never", None)).await;
        settle(&mut program).await;
        let counts = &bench.context.mqtt.log.counts;
        assert_eq!((counts.qos0_sent.get(), counts.qos0_dropped.get()), (1, 1));
        assert!(bench.qos0_messages.try_recv().is_err());
        assert!(bench.stored().await.is_empty(), "QoS 0 never touches the disk");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_at_qos_1_is_stored_while_the_gateway_is_offline() {
    online(async |bench| {
        bench.set_online(false);
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        assert_eq!(program.publish("gw-1/open/a", "later").await, ReasonCode::SUCCESS);
        assert_eq!(bench.stored().await.len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_the_moment_decide_about_each_message() {
    online(async |bench| {
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        assert_eq!(program.publish("gw-1/open/a", "1").await, ReasonCode::SUCCESS);
        bench.allow(&[]);
        assert_eq!(program.publish("gw-1/open/a", "2").await, ReasonCode::NOT_AUTHORIZED);
        bench.allow(&[rule(USER)]);
        assert_eq!(program.publish("gw-1/open/a", "3").await, ReasonCode::SUCCESS);
        assert_eq!(payloads(&bench).await, ["1", "3"]);
    })
    .await;
}

/// MQTT 5.0, 3.3.2.3.3: a message that expires at once is worth sending, and AWS keeps none for longer than 7 days.
#[tokio::test(start_paused = true)]
async fn retain_flag_properties_and_an_empty_payload_are_stored_with_the_message() {
    online(async |bench| {
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        for (expiry, stored) in [(0, 1), (60, 60), (u32::MAX, 604_800)] {
            let properties = Properties {
                message_expiry: Some(expiry),
                content_type: Some("text/plain".to_owned()),
                correlation_data: Some(vec![0, 255]),
                ..Properties::default()
            };
            let Packet::Publish(plain) = message("gw-1/open/a", properties.clone(), 0, Some(1)) else {
                unreachable!()
            };
            program.send(&Packet::Publish(Publish { retain: true, ..plain })).await;
            assert!(matches!(program.receive().await, Some(Packet::Puback(_))));
            let id = bench.context.outbox.list(0, false).await.unwrap().pop().unwrap().id;
            let found = bench.context.outbox.show(id).await.unwrap().unwrap();
            assert!(found.entry.retain && found.payload.is_empty());
            let expected = Properties {
                message_expiry: Some(stored),
                ..properties
            };
            assert_eq!(found.properties, expected);
        }
    })
    .await;
}

async fn payloads(bench: &Bench) -> Vec<String> {
    bench.stored().await.into_iter().map(|(_, payload)| payload).collect()
}

/// MQTT-4.3.3: AWS IoT has no QoS 2.
#[tokio::test(start_paused = true)]
async fn a_message_at_qos_2_ends_the_connection() {
    online(async |bench| {
        for version in [V5, V3] {
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            let Packet::Publish(plain) = publish("gw-1/open/a", "x", Some(1)) else {
                unreachable!()
            };
            let at_qos_2 = Publish {
                qos: Qos::ExactlyOnce,
                ..plain
            };
            program.send(&Packet::Publish(at_qos_2)).await;
            program.expect_end(0x9b).await;
        }
    })
    .await;
}
