//! A slow, silent or hostile program loses its connection, and affects nobody else.

use std::net::TcpStream;

use rig::wait;

use super::packets::{Client, Connect, V3_1_1, V5};
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
