//! Limits that the broker announces in CONNACK.

use rig::wait;

use crate::scripted_broker::{Script, connack, framed};
use crate::support::{SOON, THING, World};

use super::quirks::world;

#[test]
fn promise_5_the_brokers_limits_are_respected() {
    let (mut world, broker) = world();
    let topic = format!("/topics/{THING}/data");
    let post = |world: &World, query: &str, body: &[u8]| {
        let head = format!(
            "POST {topic}{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        rig::unix_http::request_raw(&world.gateway.socket(), &[head.as_bytes(), body].concat()).unwrap()
    };
    // Accepted before the broker has announced a limit; then the broker accepts packets of 1000 bytes.
    broker.play(Script {
        connack: framed(0x20, &[0, 0x88, 0]),
        ..Script::default()
    });
    world.gateway.start();
    world.gateway.wait_for_words("session.problem.message", "0x88");
    assert_eq!(post(&world, "", &[b'x'; 131_072]).status, 200);
    broker.play(Script {
        connack: connack(&[0x27, 0, 0, 3, 0xe8]),
        ..Script::default()
    });
    world.gateway.wait_for("messages.parked", |parked| parked == 1);
    let log = world.gateway.log();
    assert!(log.contains("the broker accepts at most 1000 bytes"), "{log}");
    assert_eq!(post(&world, "", &[b'x'; 1000]).status, 413);
    assert_eq!(post(&world, "", b"small").status, 200);
    broker.wait_for("the small one", |packet| packet.ends_with(b"small"));
    world.gateway.stop();

    // Receive Maximum 1, and presence is not acknowledged: a message waits, without busy waiting.
    broker.play(Script {
        connack: connack(&[0x21, 0, 1]),
        acknowledges: false,
        ..Script::default()
    });
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    assert_eq!(post(&world, "", b"waits").status, 200);
    let lines = || world.gateway.log().len();
    let before = lines();
    wait::until(SOON, "the status", || world.gateway.status()["messages"]["queued"] == 1).unwrap();
    assert!(lines() - before < 100_000, "no line for each turn of a circle");
    // A QoS 0 message waits for no acknowledgement.
    assert_eq!(post(&world, "?qos=0", b"no window").status, 200);
    broker.wait_for("the message at QoS 0", |packet| {
        packet[0] == 0x30 && packet.ends_with(b"no window")
    });
    // Presence cannot say that the gateway goes offline, so the will does.
    world.gateway.stop();
    broker.wait_for("DISCONNECT with will message", |packet| packet == [0xe0, 4]);

    // Maximum QoS 0: messages that must not be lost wait, others are sent.
    broker.play(Script {
        connack: connack(&[0x24, 0, 0x25, 0]),
        ..Script::default()
    });
    world.gateway.start();
    world
        .gateway
        .wait_for_words("session.problem.message", "acknowledges no messages");
    assert_eq!(post(&world, "?qos=0", b"at once").status, 200);
    broker.wait_for("the message at QoS 0", |packet| {
        packet[0] == 0x30 && packet.ends_with(b"at once")
    });
    assert!(
        broker
            .packets()
            .iter()
            .all(|packet| packet[0] & 0xf0 != 0x30 || packet[0] == 0x30)
    );
    assert_eq!(world.gateway.status()["messages"]["queued"], 1);
    world.gateway.stop();
    broker.play(Script::default());
    world.gateway.start();
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
    broker.wait_for("what waited", |packet| packet.ends_with(b"waits"));
}
