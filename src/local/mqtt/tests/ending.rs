//! How connections end, and what is counted.

use std::time::Duration;

use tokio::time::Instant;

use super::program::{at, client, kept_client, publish, subscribe};
use super::{Program, online};
use crate::local::testing::USER;
use crate::mqtt::packet::{Auth, Connect, Disconnect, Publish};
use crate::mqtt::{Packet, Property, ProtocolVersion, ReasonCode};
use crate::qos::Qos;

const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// Each of these ends the connection that it comes on, and no other.
#[tokio::test(start_paused = true)]
async fn a_protocol_error_ends_its_connection_and_is_counted() {
    online(async |bench| {
        let alias = |alias, topic: &str| match publish(topic, "x", None) {
            Packet::Publish(publish) => Packet::Publish(Publish {
                topic_alias: Some(alias),
                ..publish
            }),
            other => other,
        };
        let auth = Packet::Auth(Auth {
            code: ReasonCode(0x19),
            properties: vec![Property::AuthenticationMethod("method".to_owned())],
        });
        let mut bystander = Program::start(&bench, USER, client(V5, "bystander")).await;
        let cases = [
            (V5, "a second CONNECT", Packet::Connect(Box::new(client(V5, "c"))), 0x82),
            (V3, "a second CONNECT", Packet::Connect(Box::new(client(V3, "c"))), 0x82),
            (V5, "AUTH", auth, 0x82),
            (V5, "a topic alias above the maximum", alias(9, "gw-1/open/a"), 0x94),
            (
                V5,
                "a topic alias that stands for nothing on this connection",
                alias(1, ""),
                0x82,
            ),
            (V5, "a topic with a wildcard", publish("gw-1/open/#", "x", None), 0x90),
            (V3, "a topic with a wildcard", publish("gw-1/open/+", "x", None), 0x90),
            (
                V5,
                "a filter with # before its end",
                subscribe(&[("gw-1/#/a", at(Qos::AtMostOnce))]),
                0x8f,
            ),
        ];
        for (number, (version, what, packet, code)) in cases.into_iter().enumerate() {
            let mut program = Program::start(&bench, USER, client(version, "c")).await;
            // An alias of an earlier connection is not known here.
            if version == V5 {
                program.send(&alias(2, "gw-1/open/a")).await;
            }
            program.send(&packet).await;
            if version == V5 {
                match program.receive().await {
                    Some(Packet::Disconnect(disconnect)) => assert_eq!(disconnect.code, ReasonCode(code), "{what}"),
                    other => panic!("{what}: {other:?}"),
                }
            }
            assert_eq!(program.receive().await, None, "{what}");
            assert_eq!(bench.context.mqtt.log.counts.cut.get(), number as u64 + 1, "{what}");
        }
        bystander.send(&Packet::Pingreq).await;
        assert_eq!(bystander.receive().await, Some(Packet::Pingresp));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_connect_or_without_packets_ends_in_time() {
    online(async |bench| {
        let began = Instant::now();
        let mut silent = Program::open(&bench, USER);
        assert_eq!(silent.receive().await, None);
        assert_eq!(began.elapsed(), Duration::from_secs(10));
        for (version, keep_alive) in [(V5, 20), (V3, 20)] {
            let connect = Connect {
                keep_alive,
                ..client(version, "c")
            };
            let mut program = Program::start(&bench, USER, connect).await;
            let began = Instant::now();
            program.expect_end(0x8d).await;
            assert_eq!(
                began.elapsed(),
                Duration::from_secs(30),
                "one and a half times the keep-alive"
            );
        }
    })
    .await;
}

/// MQTT 5.0, 3.1.2.11.2 and 3.14.2.2.2.
#[tokio::test(start_paused = true)]
async fn a_session_is_kept_for_as_long_as_connect_and_disconnect_say() {
    online(async |bench| {
        let expiry = |seconds| vec![Property::SessionExpiryInterval(seconds)];
        for (asked, changed, is_kept) in [
            (vec![], None, false),
            (expiry(0), None, false),
            (expiry(0), Some(0), false),
            (expiry(60), None, true),
            (expiry(60), Some(0), false),
            (expiry(60), Some(3600), true),
            (expiry(u32::MAX), None, true),
            (expiry(u32::MAX), Some(u32::MAX), true),
        ] {
            let connect = Connect {
                properties: asked.clone(),
                ..client(V5, "c")
            };
            let mut program = Program::start(&bench, USER, connect).await;
            let disconnect = Disconnect {
                code: ReasonCode::SUCCESS,
                properties: changed.map(expiry).unwrap_or_default(),
            };
            program.send(&Packet::Disconnect(disconnect)).await;
            assert_eq!(program.receive().await, None);
            let connect = Connect {
                clean_start: false,
                ..client(V5, "c")
            };
            let (program, answer) = Program::connect(&bench, USER, connect).await;
            let Packet::Connack(connack) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(connack.session_present, is_kept, "{asked:?} {changed:?}");
            program.disconnect(ReasonCode::SUCCESS).await;
        }
        // It must not be given an expiry at its end if it had none.
        let mut program = Program::start(&bench, USER, client(V5, "c")).await;
        let disconnect = Disconnect {
            code: ReasonCode::SUCCESS,
            properties: expiry(60),
        };
        program.send(&Packet::Disconnect(disconnect)).await;
        program.expect_end(0x82).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_end_of_gatepost_is_announced_in_mqtt_5_and_keeps_the_session() {
    online(async |bench| {
        let mut programs = Vec::new();
        for version in [V5, V3] {
            programs.push(Program::start(&bench, USER, kept_client(version, &format!("{version:?}"))).await);
        }
        bench.connections.finish().await;
        for program in &mut programs {
            program.expect_end(0x8b).await;
        }
        assert_eq!(bench.context.inbox.list_durable().await.unwrap().len(), 2);
        assert_eq!(bench.context.mqtt.client_count(), 0);
    })
    .await;
}
