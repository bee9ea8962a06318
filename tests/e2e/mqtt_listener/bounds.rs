//! A slow, silent or hostile program loses its connection, and affects nobody else.

use std::net::TcpStream;

use rig::wait;

use super::packets::{Client, Connect, V3_1_1, V5, frame, text};
use super::{SECRET, world};
use crate::messages::subscribed;
use crate::metrics::metrics;
use crate::support::{SOON, THING};

#[test]
fn promise_6_a_client_that_never_acknowledges_is_cut_off_and_the_others_get_everything() {
    let (world, _) = world();
    let mut deaf = Client::connected(&world.gateway, V5, "deaf");
    let mut good = Client::connected(&world.gateway, V3_1_1, "good");
    for client in [&mut deaf, &mut good] {
        assert_eq!(client.subscribe(1, &[("{thing}/flood", 1)]), [1]);
    }
    subscribed(&world, &format!("{THING}/flood"));
    // More than AWS sends before the first one is acknowledged.
    let mut publisher = Client::connected(&world.gateway, V5, "publisher");
    for batch in 0..3_u16 {
        for number in 1..=50 {
            publisher.publish(
                "{thing}/flood",
                Some(number),
                (batch * 50 + number).to_string().as_bytes(),
            );
        }
        for number in 1..=50 {
            assert_eq!(publisher.puback(number), 0);
        }
    }
    for number in 1..=150 {
        let packet = good.receive().expect("the good one was closed");
        assert!(
            packet.body.ends_with(number.to_string().as_bytes()),
            "{number}: {packet:?}"
        );
        let topic = usize::from(packet.body[1]) + 2;
        let id = [packet.body[topic], packet.body[topic + 1]];
        good.send(0x40, &id);
    }
    assert_eq!(deaf.end(), Some(0x97));
    assert!(
        world
            .gateway
            .log()
            .contains("does not take or acknowledge its messages")
    );
    // It may reconnect, but has to wait before it can subscribe.
    let mut deaf = Client::connected(&world.gateway, V5, "deaf");
    assert_eq!(deaf.subscribe(1, &[("{thing}/flood", 1)]), [0x97]);
}

#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let (_world, address) = world();
    let _silent: Vec<TcpStream> = (0..400).filter_map(|_| TcpStream::connect(address).ok()).collect();
    for number in 0..20 {
        let mut client = Client::on_address(address, V5);
        let mut connect = Connect::new(&format!("good-{number}"));
        connect.password = Some(SECRET.into());
        assert_eq!(client.connect(&connect)[1], 0, "{number}");
        client.publish("{thing}/a", Some(1), b"1");
        assert_eq!(client.puback(1), 0);
    }
}

#[test]
fn each_forbidden_packet_closes_its_own_connection_and_no_other() {
    let (world, _) = world();
    let mut other = Client::connected(&world.gateway, V5, "other");
    let connect = |client_id: &str| [text("MQTT"), vec![5, 2, 0, 60, 0], text(client_id)].concat();
    let publish = |topic: &str, rest: &[u8]| [text(topic), rest.to_vec()].concat();
    let cases: Vec<(&str, Vec<u8>, u8)> = vec![
        ("a second CONNECT (MQTT-3.1.0-2)", frame(0x10, &connect("again")), 0x82),
        ("a packet type of 0 (MQTT 5.0, 2.1.2)", frame(0x00, &[]), 0x81),
        (
            "SUBSCRIBE with wrong flags (MQTT-3.8.1-1)",
            frame(0x80, &[0, 1, 0, 0, 1, b'a', 0]),
            0x81,
        ),
        (
            "SUBSCRIBE without a filter (MQTT-3.8.3-2)",
            frame(0x82, &[0, 1, 0]),
            0x82,
        ),
        (
            "a packet identifier of 0 (MQTT-2.2.1-3)",
            frame(0x32, &publish("a", &[0, 0, 0])),
            0x82,
        ),
        (
            "DUP at quality of service 0 (MQTT-3.3.1-2)",
            frame(0x38, &publish("a", &[0])),
            0x81,
        ),
        (
            "quality of service 3 (MQTT-3.3.1-4)",
            frame(0x36, &publish("a", &[0, 1, 0])),
            0x81,
        ),
        (
            "quality of service 2 (MQTT-3.2.2-11)",
            frame(0x34, &publish("a", &[0, 1, 0])),
            0x9b,
        ),
        (
            "a wildcard in a topic (MQTT-3.3.2-2)",
            frame(0x30, &publish("a/#", &[0])),
            0x90,
        ),
        (
            "no topic and no alias (MQTT-4.7.3-1)",
            frame(0x30, &publish("", &[0])),
            0x82,
        ),
        (
            "topic alias 9 of 8 (MQTT-3.3.2-9)",
            frame(0x30, &publish("a", &[3, 0x23, 0, 9])),
            0x94,
        ),
        ("invalid UTF-8 (MQTT-1.5.4-1)", frame(0x30, &[0, 1, 0xff, 0]), 0x81),
        (
            "# before the end (MQTT-4.7.1-1)",
            frame(0x82, &[0, 1, 0, 0, 3, b'#', b'/', b'a', 0]),
            0x8f,
        ),
        ("PUBREL (MQTT 5.0, 2.1.2)", frame(0x62, &[0, 1]), 0x82),
        ("PINGRESP of a client (MQTT 5.0, 2.1.2)", frame(0xd0, &[]), 0x82),
        (
            "a length of five bytes (MQTT 5.0, 1.5.5)",
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
            0x81,
        ),
        (
            "a packet beyond the maximum (MQTT-3.1.2-24)",
            vec![0x30, 0xff, 0xff, 0xff, 0x7f],
            0x95,
        ),
    ];
    for (what, bytes, code) in cases {
        let mut client = Client::connected(&world.gateway, V5, "hostile");
        client.send_raw(&bytes);
        assert_eq!(client.end(), Some(code), "{what}");
        let mut client = Client::connected(&world.gateway, V3_1_1, "hostile");
        if code != 0x94 && code != 0x82 {
            client.send_raw(&bytes);
            assert_eq!(client.end(), None, "{what} in MQTT 3.1.1");
        }
    }
    other.send(0xc0, &[]);
    assert_eq!(other.receive().unwrap().first, 0xd0);
    let page = metrics(&world.gateway);
    assert!(page.contains("gatepost_mqtt_clients 1"), "{page}");
}

#[test]
fn a_silent_client_is_cut_off_after_one_and_a_half_keep_alives() {
    let (world, _) = world();
    for (version, code) in [(V5, Some(0x8d)), (V3_1_1, None)] {
        let mut client = Client::on_socket(&world.gateway, version);
        let mut connect = Connect::new("silent");
        connect.keep_alive = 1;
        assert_eq!(client.connect(&connect)[1], 0);
        assert_eq!(client.end(), code);
    }
}

#[test]
fn with_no_local_a_client_does_not_get_its_own_messages_and_a_bridge_makes_no_loop() {
    let (world, _) = world();
    let mut bridge = Client::connected(&world.gateway, V5, "bridge");
    let mut other = Client::connected(&world.gateway, V5, "other");
    // No Local and Retain As Published, as a bridge requests.
    assert_eq!(bridge.subscribe(1, &[("{thing}/loop/#", 0x0d)]), [1]);
    assert_eq!(other.subscribe(1, &[("{thing}/loop/#", 0x00)]), [0]);
    subscribed(&world, &format!("{THING}/loop/#"));
    bridge.publish("{thing}/loop/a", Some(1), b"of the bridge");
    assert_eq!(bridge.puback(1), 0);
    let seen = other.receive().unwrap();
    assert!(seen.body.ends_with(b"of the bridge"), "{seen:?}");
    other.publish("{thing}/loop/a", Some(1), b"of the other");
    assert_eq!(other.puback(1), 0);
    let seen = bridge.receive().unwrap();
    assert!(seen.body.ends_with(b"of the other"), "its own one came: {seen:?}");
    // An equal message from another client is not recognised as its own.
    bridge.send(0x40, &[0, 1]);
    other.publish("{thing}/loop/a", Some(2), b"of the bridge");
    wait::until(SOON, "it is delivered", || {
        metrics(&world.gateway).contains("gatepost_mqtt_deliveries_total{outcome=\"sent\"} 5")
    })
    .unwrap();
}
