//! Tests of CONNECT: each kind of client, and the code that it is answered with.

use tokio::task::LocalSet;

use super::program::{client, kept_client};
use super::{Program, online};
use crate::local::mqtt::Identity;
use crate::local::testing::{Bench, OTHER_USER, THING, UNNAMED_USER, USER};
use crate::messages::Properties;
use crate::mqtt::packet::{Connect, Will};
use crate::mqtt::{Packet, Password, Property, ProtocolVersion, ReasonCode};
use crate::qos::Qos;

const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// Returns code and Session Present of a CONNACK.
fn connack(packet: &Packet) -> (u8, bool) {
    match packet {
        Packet::Connack(connack) => (connack.code.0, connack.session_present),
        other => panic!("{other:?} instead of CONNACK"),
    }
}

fn with_will(topic: &str, properties: Properties) -> Connect {
    Connect {
        will: Some(Will {
            qos: Qos::AtLeastOnce,
            topic: topic.to_owned(),
            properties,
            ..Will::default()
        }),
        ..client(V5, "c")
    }
}

#[tokio::test(start_paused = true)]
async fn each_reason_to_refuse_a_client_has_its_code() {
    online(async |bench| {
        let a_topic = |topic: &str| with_will(topic, Properties::default());
        let response = Properties {
            response_topic: Some("a/b/c/d/e/f/g/h/i".to_owned()),
            ..Properties::default()
        };
        let in_v3 = |connect: Connect| Connect { version: V3, ..connect };
        let cases = [
            ("a client whom no rule names", UNNAMED_USER, client(V5, "c"), 0x87),
            ("the same in MQTT 3.1.1", UNNAMED_USER, client(V3, "c"), 0x87),
            ("an identifier of 129 bytes", USER, client(V5, &"c".repeat(129)), 0x85),
            (
                "an identifier with a control character",
                USER,
                client(V5, "a\u{85}"),
                0x85,
            ),
            ("the same in MQTT 3.1.1", USER, client(V3, "a\u{85}"), 0x85),
            (
                "a will on a topic that no rule allows",
                USER,
                a_topic("gw-1/closed/a"),
                0x87,
            ),
            (
                "a will on another thing's topic",
                USER,
                a_topic("$aws/things/gw-2/shadow/update"),
                0x87,
            ),
            (
                "a will on gatepost's own topic",
                USER,
                a_topic("{thing}/gatepost/status"),
                0x87,
            ),
            (
                "a will on a topic with too many levels",
                USER,
                a_topic("gw-1/open/a/b/c/d/e/f/g"),
                0x90,
            ),
            (
                "a will whose response topic has too many",
                USER,
                with_will("gw-1/open/a", response),
                0x90,
            ),
            ("a will in MQTT 3.1.1", USER, in_v3(a_topic("gw-1/closed/a")), 0x87),
        ];
        let count = cases.len();
        for (what, uid, connect, code) in cases {
            let (mut program, answer) = Program::connect(&bench, uid, connect).await;
            assert_eq!(connack(&answer), (code, false), "{what}");
            assert_eq!(program.receive().await, None, "{what}");
        }
        let counts = &bench.context.mqtt.log.counts;
        assert_eq!((counts.refused.get(), counts.connected.get()), (count as u64, 0));
        assert_eq!(bench.context.mqtt.client_count(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_on_the_address_needs_a_password_that_is_known() {
    online(async |bench| {
        for password in [None, Some("a secret that nobody has given to it")] {
            for (version, code) in [(V5, 0x86), (V3, 0x86)] {
                let address = "127.0.0.1:40000".parse().unwrap();
                let mut program = Program::open_as(&bench, Identity::Password(address));
                let connect = Connect {
                    user_name: Some("any".to_owned()),
                    password: password.map(|password| Password::new(password.as_bytes().to_vec())),
                    ..client(version, "c")
                };
                assert_eq!(
                    connack(&program.say_hello(connect).await),
                    (code, false),
                    "{password:?}"
                );
                assert_eq!(program.receive().await, None);
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_thing_name_nobody_can_connect_yet() {
    LocalSet::new()
        .run_until(async {
            let bench = Bench::unprovisioned();
            for version in [V5, V3] {
                let (_, answer) = Program::connect(&bench, USER, client(version, "c")).await;
                assert_eq!(connack(&answer), (0x88, false));
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn only_a_client_of_mqtt_5_learns_the_identifier_that_it_was_assigned() {
    online(async |bench| {
        for (version, client_id, is_told) in [(V5, "", true), (V5, "c", false), (V3, "", false)] {
            let (_program, answer) = Program::connect(&bench, USER, client(version, client_id)).await;
            let Packet::Connack(connack) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(connack.code, ReasonCode::SUCCESS);
            let mut properties = connack.properties.iter();
            let assigned = properties.find_map(|property| match property {
                Property::AssignedClientIdentifier(assigned) => Some(assigned.as_str()),
                _ => None,
            });
            assert_eq!(assigned.is_some(), is_told, "{version:?} {client_id:?} {assigned:?}");
        }
    })
    .await;
}

/// Session Present says exactly whether the session is there (MQTT-3.2.2-2).
#[tokio::test(start_paused = true)]
async fn a_session_is_present_if_the_same_user_has_kept_it() {
    online(async |bench| {
        for version in [V5, V3] {
            let id = format!("{version:?}");
            let clean = || client(version, &id);
            let kept = || kept_client(version, &id);
            for (what, uid, connect, is_present) in [
                ("the first connection", USER, kept(), false),
                ("the second connection", USER, kept(), true),
                ("another user with the same identifier", OTHER_USER, kept(), false),
                ("the first user once more", USER, kept(), true),
                ("a clean start", USER, clean(), false),
                ("after the clean start", USER, kept(), false),
            ] {
                let (program, answer) = Program::connect(&bench, uid, connect).await;
                assert_eq!(connack(&answer), (0, is_present), "{what} {version:?}");
                program.disconnect(ReasonCode::SUCCESS).await;
            }
        }
    })
    .await;
}

/// MQTT-3.1.4-3.
#[tokio::test(start_paused = true)]
async fn the_same_client_takes_over_and_other_users_and_clients_stay() {
    online(async |bench| {
        for version in [V5, V3] {
            let mut first = Program::start(&bench, USER, client(version, "same")).await;
            let mut other_user = Program::start(&bench, OTHER_USER, client(version, "same")).await;
            let mut other_client = Program::start(&bench, USER, client(version, "another")).await;
            assert_eq!(bench.context.mqtt.client_count(), 3);
            let second = Program::start(&bench, USER, client(version, "same")).await;
            first.expect_end(0x8e).await;
            for program in [&mut other_user, &mut other_client] {
                program.send(&Packet::Pingreq).await;
                assert_eq!(program.receive().await, Some(Packet::Pingresp), "{THING}");
            }
            for program in [second, other_user, other_client] {
                program.disconnect(ReasonCode::SUCCESS).await;
            }
            assert_eq!(bench.context.mqtt.client_count(), 0);
        }
    })
    .await;
}
