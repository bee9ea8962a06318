//! Brokers that violate MQTT 5, or follow it in unusual ways, and the gateway's required reactions.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};

use rig::wait;

use crate::registry::bring_online_registered;
use crate::scripted_broker::{Script, ScriptedBroker, connack, framed, publish};
use crate::support::{SOON, THING, World};

/// Creates a world whose gateway AWS knows. It is stopped, and will connect to a broker of the test's own.
pub fn world() -> (World, ScriptedBroker) {
    let mut world = World::new();
    world.gateway.configure(
        "role-aliases = [\"*\"]",
        "role-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\"]",
    );
    bring_online_registered(&mut world);
    world.gateway.stop();
    let broker = ScriptedBroker::start(&world.ca);
    let root = world.cloud.root_ca_path().to_owned();
    let both = world.gateway.folder.path().join("roots.pem");
    let roots = format!("{}\n{}", fs::read_to_string(&root).unwrap(), world.ca.ca_pem().unwrap());
    fs::write(&both, roots).unwrap();
    let (old, new) = (world.cloud.mqtt_endpoint(), broker.endpoint());
    world.gateway.configure(
        &format!("mqtt-endpoint = \"{old}\""),
        &format!("mqtt-endpoint = \"{new}\""),
    );
    world.gateway.configure(
        &format!("root-ca = \"{}\"", root.display()),
        &format!("root-ca = \"{}\"", both.display()),
    );
    (world, broker)
}

#[test]
fn promise_6_nothing_that_a_broker_sends_stops_the_gateway() {
    let (mut world, broker) = world();
    let last = publish(2, &[0, 99], &[], b"after it");
    // The unit tests of src/mqtt/tests have each protocol error, and each oddity that is none.
    for (what, then, code, statement) in [
        ("a second CONNACK", connack(&[]), 0x82, "MQTT-3.2.0-2"),
        (
            "a length without end",
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x7f],
            0x81,
            "MQTT 5.0, 1.5.5",
        ),
    ] {
        broker.play(Script {
            then: [then, last.clone()].concat(),
            ..Script::default()
        });
        world.gateway.start();
        broker.wait_for(&format!("{what}: DISCONNECT"), |packet| packet == [0xe0, code]);
        world.gateway.wait_for_log(&format!("({statement})"));
        // The credentials come from elsewhere, and are not affected.
        wait::until(SOON, "credentials", || world.gateway.credentials().status == 200).unwrap();
        world.gateway.stop();
    }

    // What is odd and no protocol error: acknowledgements of nothing, a message that is too large, and one that comes twice.
    let large = framed(0x32, &[b"\x00\x01t\x00\x07\x00", &vec![b'x'; 160_000][..]].concat());
    let twice = publish(2, &[0, 7], &[], b"x").repeat(2);
    broker.play(Script {
        then: [vec![0x40, 2, 9, 9, 0x90, 4, 9, 9, 0, 1], large, twice, last].concat(),
        ..Script::default()
    });
    world.gateway.start();
    broker.wait_for("PUBACK for the last message", |packet| {
        packet.starts_with(b"\x40\x00\x63")
    });
    assert_eq!(world.gateway.status()["session"]["connects"], 1);
    world.gateway.stop();
}

/// The unit tests of src/cloud/mqtt/tests/first_contact.rs have each answer.
#[test]
fn promise_8_a_server_that_does_not_speak_mqtt_is_named() {
    let (mut world, broker) = world();
    broker.play(Script {
        connack: b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        ..Script::default()
    });
    world.gateway.start();
    world.gateway.wait_for_words("session.problem.message", "MQTT-2.1.3-1");
    assert_eq!(world.gateway.status()["provisioning"]["phase"], "provisioned");
    world.gateway.stop();
}

#[test]
fn promise_6_a_protocol_error_by_a_queued_message_costs_only_the_session() {
    let (mut world, broker) = world();
    let resumed = framed(0x20, &[1, 0, 0]);
    broker.play(Script {
        connack: resumed,
        then: publish(2, &[0, 1], &[0x23, 0, 1], b"poison"),
        ..Script::default()
    });
    world.gateway.start();
    let connects = || {
        let all = broker.packets().into_iter();
        // The flags of CONNECT follow the protocol's name and version.
        all.filter(|packet| packet[0] == 0x10)
            .map(|packet| packet[8] & 2 != 0)
            .collect::<Vec<_>>()
    };
    wait::until(3 * SOON, "a clean start", || connects().contains(&true)).unwrap();
    assert_eq!(
        connects()[..4],
        [false, false, false, true],
        "after three, and not before"
    );
    broker.play(Script::default());
    let why = world
        .gateway
        .wait_longer_for(3 * SOON, "session.discarded_because", |why| why.is_string());
    let why = why.as_str().unwrap();
    assert!(why.contains("a topic alias") && why.contains("are lost"), "{why}");
    let log = world.gateway.log();
    assert!(log.contains("AWS's session was discarded"), "{log}");
    world.gateway.stop();
}

#[test]
fn promise_6_a_filter_whose_messages_break_the_protocol_is_set_aside() {
    let (mut world, broker) = world();
    broker.play(Script {
        retained: publish(3, &[0, 1], &[0x23, 0, 1], b"poison"),
        retained_for: "poisoned/topic",
        ..Script::default()
    });
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    let open = |filter: &str| {
        let mut program = rig::unix_http::connect(&world.gateway.socket()).unwrap();
        let asked = format!("GET /topics/{filter} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        program.write_all(asked.as_bytes()).unwrap();
        BufReader::new(program).lines().map_while(Result::ok)
    };
    let (_good, mut poisoned) = (open("good/topic"), open("poisoned/topic"));
    world
        .gateway
        .wait_longer_for(3 * SOON, "session.filters_set_aside", |aside| {
            aside[0]["filter"] == "poisoned/topic"
        });
    assert!(poisoned.any(|line| line.contains("\"refused\"") && line.contains("is set aside")));
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for_words(
        "session.problem.message",
        "the subscription to poisoned/topic is set aside",
    );
    assert_eq!(world.gateway.status()["session"]["problem"]["remedy"], "configuration");
    world
        .gateway
        .wait_for_log("the subscription to poisoned/topic is set aside");
    // The next connection subscribes to the other filter only. The problem is reported before that connection exists.
    let filters_of_the_last_connection = || {
        let packets = broker.packets();
        let last = packets.iter().rposition(|packet| packet[0] == 0x10).unwrap();
        let has = |filter: &[u8]| {
            let mut asked = packets[last..].iter().filter(|packet| packet[0] == 0x82);
            asked.any(|packet| packet.windows(filter.len()).any(|part| part == filter))
        };
        (has(b"good/topic"), has(b"poisoned/topic"))
    };
    wait::until(3 * SOON, "a connection with the good filter alone", || {
        filters_of_the_last_connection() == (true, false)
    })
    .unwrap();
    world.gateway.stop();
}

#[test]
fn promise_8_a_dead_connection_is_noticed_while_a_program_publishes() {
    let (mut world, broker) = world();
    // The broker requests a keep-alive of two seconds, and then sends nothing more.
    broker.play(Script {
        connack: connack(&[0x13, 0, 2]),
        speaks: false,
        ..Script::default()
    });
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    let gateway = &world.gateway;
    wait::until(SOON, "the end of the connection", || {
        let target = format!("/topics/{THING}/data?qos=0");
        let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx");
        let _ = rig::unix_http::request_raw(&gateway.socket(), head.as_bytes());
        gateway
            .log()
            .contains("nothing was received for one and a half keep-alives")
    })
    .unwrap();
    assert!(
        broker.packets().iter().any(|packet| packet.as_slice() == [0xc0]),
        "it was asked"
    );
    // src/cloud/mqtt/tests/lifetime.rs has a broker that answers PINGREQ and nothing else.
}

#[test]
fn promise_13_a_retained_message_right_behind_suback_is_not_lost() {
    let (mut world, broker) = world();
    broker.play(Script {
        retained: publish(1, &[], &[], b"kept"),
        ..Script::default()
    });
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    for number in 0..20 {
        let mut program = rig::unix_http::connect(&world.gateway.socket()).unwrap();
        program
            .write_all(b"GET /topics/t?qos=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut lines = BufReader::new(program).lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains("\"payload\":\"kept\"")),
            "subscription {number}"
        );
    }
    world.gateway.stop();
}
