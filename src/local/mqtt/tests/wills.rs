//! Which wills are published, and when.

use std::time::Duration;

use tokio::time::sleep;

use super::program::{client, kept_client};
use super::{Program, online};
use crate::local::testing::{Bench, USER};
use crate::mqtt::packet::{Connect, Disconnect, Will};
use crate::mqtt::{Packet, ProtocolVersion, ReasonCode};
use crate::qos::Qos;

const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// Adds a will to a CONNECT.
fn with_will(connect: Connect, qos: Qos, delay: u32) -> Connect {
    Connect {
        will: Some(Will {
            qos,
            topic: "{thing}/open/will".to_owned(),
            payload: "gone".into(),
            delay,
            ..Will::default()
        }),
        ..connect
    }
}

fn at_qos_1(connect: Connect) -> Connect {
    with_will(connect, Qos::AtLeastOnce, 0)
}

/// Returns the number of wills in the outbox, after everything that need not wait has happened.
async fn wills(bench: &Bench) -> usize {
    sleep(Duration::from_millis(10)).await;
    bench
        .stored()
        .await
        .iter()
        .filter(|(_, payload)| payload == "gone")
        .count()
}

/// An end of a connection.
#[derive(Clone, Copy, Debug)]
enum End {
    Disconnect(u8),
    Lost,
    ProtocolError,
    KeepAlive,
    TakenOver,
    Refused,
}

/// MQTT-3.1.2-8, MQTT-3.1.2-10, MQTT-3.14.4-3.
#[tokio::test(start_paused = true)]
async fn a_will_is_published_at_every_end_except_a_disconnect_that_cancels_it() {
    online(async |bench| {
        let mut published = 0;
        for (version, end, is_published) in [
            (V5, End::Disconnect(0), false),
            (V5, End::Disconnect(4), true),
            (V5, End::Disconnect(0x81), true),
            (V5, End::Lost, true),
            (V5, End::ProtocolError, true),
            (V5, End::KeepAlive, true),
            (V5, End::TakenOver, true),
            (V3, End::Disconnect(0), false),
            (V3, End::Lost, true),
            (V3, End::ProtocolError, true),
            (V3, End::KeepAlive, true),
            (V3, End::TakenOver, true),
            (V3, End::Refused, true),
        ] {
            let connect = Connect {
                keep_alive: 60,
                ..at_qos_1(client(version, "c"))
            };
            let mut program = Program::start(&bench, USER, connect).await;
            match end {
                End::Disconnect(code) => program.disconnect(ReasonCode(code)).await,
                End::Lost => drop(program),
                End::ProtocolError => {
                    // A second CONNECT (MQTT-3.1.0-2).
                    program.send(&Packet::Connect(Box::new(client(version, "c")))).await;
                    program.expect_end(0x82).await;
                }
                End::KeepAlive => program.expect_end(0x8d).await,
                End::TakenOver => {
                    let second = Program::start(&bench, USER, client(version, "c")).await;
                    program.expect_end(0x8e).await;
                    second.disconnect(ReasonCode::SUCCESS).await;
                }
                End::Refused => {
                    program
                        .send(&super::program::publish("gw-1/closed", "x", Some(1)))
                        .await;
                    program.expect_end(0).await;
                }
            }
            published += usize::from(is_published);
            assert_eq!(wills(&bench).await, published, "{version:?} {end:?}");
        }
    })
    .await;
}

/// MQTT-3.1.3-9: the delay gives the client time to come back; the end of the session ends it.
#[tokio::test(start_paused = true)]
async fn a_will_waits_for_its_delay_unless_its_session_is_resumed_or_ends() {
    online(async |bench| {
        let delayed = || with_will(kept_client(V5, "c"), Qos::AtLeastOnce, 30);
        drop(Program::start(&bench, USER, delayed()).await);
        assert_eq!(wills(&bench).await, 0);
        sleep(Duration::from_secs(31)).await;
        assert_eq!(wills(&bench).await, 1, "the delay has passed");

        drop(Program::start(&bench, USER, delayed()).await);
        assert_eq!(wills(&bench).await, 1);
        let resumed = Program::start(&bench, USER, kept_client(V5, "c")).await;
        sleep(Duration::from_secs(31)).await;
        assert_eq!(wills(&bench).await, 1, "the session was resumed");
        resumed.disconnect(ReasonCode::SUCCESS).await;

        drop(Program::start(&bench, USER, delayed()).await);
        assert_eq!(wills(&bench).await, 1);
        let clean = Program::start(&bench, USER, client(V5, "c")).await;
        assert_eq!(wills(&bench).await, 2, "a clean start has ended the session");
        clean.disconnect(ReasonCode::SUCCESS).await;

        // Without a session there is nothing to resume.
        drop(Program::start(&bench, USER, with_will(client(V5, "c"), Qos::AtLeastOnce, 30)).await);
        assert_eq!(wills(&bench).await, 3);
    })
    .await;
}

/// MQTT 5.0, 3.14.2.2.2: a session that DISCONNECT ends takes no delayed will with it.
#[tokio::test(start_paused = true)]
async fn disconnect_with_will_and_session_expiry_0_publishes_it_at_once() {
    online(async |bench| {
        let mut program = Program::start(&bench, USER, with_will(kept_client(V5, "c"), Qos::AtLeastOnce, 30)).await;
        let disconnect = Disconnect {
            code: ReasonCode(4),
            properties: vec![crate::mqtt::Property::SessionExpiryInterval(0)],
        };
        program.send(&Packet::Disconnect(disconnect)).await;
        assert_eq!(program.receive().await, None);
        assert_eq!(wills(&bench).await, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_will_at_qos_0_never_touches_the_disk() {
    online(async |mut bench| {
        drop(Program::start(&bench, USER, with_will(client(V5, "c"), Qos::AtMostOnce, 0)).await);
        let sent = bench.qos0_messages.recv().await.unwrap();
        assert_eq!(sent.message.topic, "gw-1/open/will");
        assert_eq!(wills(&bench).await, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_the_moment_decide_about_a_will() {
    online(async |bench| {
        let program = Program::start(&bench, USER, at_qos_1(client(V5, "c"))).await;
        bench.allow(&[]);
        drop(program);
        assert_eq!(wills(&bench).await, 0);
        assert_eq!(bench.context.mqtt.log.counts.messages_refused.get(), 1);
    })
    .await;
}

/// Programs connect again at once when gatepost restarts.
#[tokio::test(start_paused = true)]
async fn no_will_is_published_because_gatepost_ends() {
    online(async |bench| {
        let mut program = Program::start(&bench, USER, at_qos_1(client(V5, "c"))).await;
        bench.connections.finish().await;
        program.expect_end(0x8b).await;
        assert_eq!(wills(&bench).await, 0);
    })
    .await;
}
