//! Refusals: the code of each, and the reason in the journal.

use super::packets::{Client, Connect, V3_1_1, V5};
use super::{SECRET, switch_on};
use crate::registry::bring_online_registered;
use crate::support::{THING, World};

/// Creates a world in which this user may publish below `{thing}/own`, and subscribe to that and to the thing's shadow.
fn narrow_world() -> (World, std::net::SocketAddr) {
    let mut world = World::new();
    let address = switch_on(&mut world);
    world.gateway.configure(
        "publish = [\"#\"]",
        "publish = [\"{thing}/own/#\", \"$aws/things/{thing}/#\"]",
    );
    world.gateway.configure(
        "subscribe = [\"#\", \"$aws/things/{thing}/#\"]",
        "subscribe = [\"{thing}/own/#\", \"$aws/things/{thing}/#\"]",
    );
    bring_online_registered(&mut world);
    world.gateway.wait_for_log(&format!("listens at {address}"));
    world.gateway.wait_for_log("mqtt.sock");
    (world, address)
}

#[test]
fn each_refused_message_has_its_code_and_mqtt_3_1_1_is_closed() {
    let (world, _) = narrow_world();
    let large = vec![b'x'; 131_073];
    let long = format!("{THING}/own/{}", "t".repeat(256));
    let cases: [(&str, &[u8], u8); 10] = [
        ("{thing}/own/a", b"ok", 0x00),
        ("{thing}/own/b/c/d/e/f/g", b"ok", 0x00),
        ("$aws/things/{thing}/shadow/update", b"{}", 0x00),
        ("{thing}/other", b"no rule", 0x87),
        ("{thing}/gatepost/status", b"gatepost's own", 0x87),
        ("$aws/things/another/shadow/update", b"{}", 0x87),
        ("$SYS/broker/connection/b/state", b"1", 0x87),
        ("{thing}/own/c/d/e/f/g/h/i", b"too many slashes", 0x90),
        (&long, b"too long", 0x90),
        ("{thing}/own/a", &large, 0x97),
    ];
    let mut client = Client::connected(&world.gateway, V5, "v5");
    for ((topic, payload, code), packet_id) in cases.iter().zip(1..) {
        client.publish(topic, Some(packet_id), payload);
        assert_eq!(client.puback(packet_id), *code, "{topic}");
    }
    for ((topic, payload, code), packet_id) in cases.iter().zip(1..) {
        let mut client = Client::connected(&world.gateway, V3_1_1, "v3");
        client.publish(topic, Some(packet_id), payload);
        match code {
            0 => assert_eq!(client.puback(packet_id), 0, "{topic}"),
            _ => assert_eq!(client.receive(), None, "{topic}"),
        }
    }
    // The journal contains the reason, even if the protocol has no way to tell the client.
    let log = world.gateway.log();
    for words in [
        "8 slashes",
        "has 131073 bytes",
        "notifications false",
        "own thing",
        "no [[access]] rule",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }
}

#[test]
fn each_refused_filter_has_its_code_and_the_others_of_its_packet_are_granted() {
    let (world, _) = narrow_world();
    let cases = [
        ("{thing}/own/a", 0x01),
        ("{thing}/own/#", 0x01),
        ("{thing}/other", 0x87),
        ("#", 0x87),
        ("$aws/things/another/#", 0x87),
        ("$SYS/#", 0x87),
        // The rules allow it, but the policy at AWS does not: SUBACK contains AWS's answer.
        ("$aws/things/{thing}/shadow/get/accepted", 0x87),
        ("$share/group/{thing}/own/a", 0x9e),
        ("{thing}/own/b/c/d/e/f/g/h", 0x8f),
    ];
    let filters: Vec<(&str, u8)> = cases.iter().map(|(filter, _)| (*filter, 1)).collect();
    let expected: Vec<u8> = cases.iter().map(|(_, code)| *code).collect();
    let mut client = Client::connected(&world.gateway, V5, "v5");
    assert_eq!(client.subscribe(1, &filters), expected);
    let expected: Vec<u8> = expected.into_iter().map(|code| code.min(0x80)).collect();
    let mut client = Client::connected(&world.gateway, V3_1_1, "v3");
    assert_eq!(client.subscribe(1, &filters), expected);
    // UNSUBSCRIBE reports which of them exist.
    let mut client = Client::connected(&world.gateway, V5, "v5");
    assert_eq!(client.subscribe(2, &[("{thing}/own/a", 0)]), [0]);
    let mut body = vec![0, 3, 0];
    for filter in ["{thing}/own/a", "{thing}/own/b"] {
        body.extend(super::packets::text(filter));
    }
    client.send(0xa2, &body);
    assert_eq!(client.receive().unwrap().body, [0, 3, 0, 0x00, 0x11]);
}

#[test]
fn promise_7_who_has_no_token_or_no_rule_is_refused() {
    let (mut world, address) = narrow_world();
    let long = "c".repeat(129);
    let cases: [(&str, Option<&str>, u8, u8); 6] = [
        ("right", Some(SECRET), 0x00, 0),
        ("wrong", Some("not the secret, but as long as it is."), 0x86, 4),
        ("prefix", Some(&SECRET[..SECRET.len() - 1]), 0x86, 4),
        ("none", None, 0x86, 4),
        (&long, Some(SECRET), 0x85, 2),
        ("control\u{1}", Some(SECRET), 0x85, 2),
    ];
    for (client_id, password, code, return_code) in cases {
        for (version, expected) in [(V5, code), (V3_1_1, return_code)] {
            let mut client = Client::on_address(address, version);
            let mut connect = Connect::new(client_id);
            connect.password = password.map(|password| password.as_bytes().to_vec());
            assert_eq!(client.connect(&connect)[1], expected, "{client_id:?} {version}");
            if expected != 0 {
                assert_eq!(client.receive(), None);
            }
        }
    }
    // A will that no rule allows is refused when the client connects.
    for (version, expected) in [(V5, 0x87), (V3_1_1, 5)] {
        let mut client = Client::on_socket(&world.gateway, version);
        let mut connect = Connect::new("bridge");
        connect.will = Some(("$SYS/broker/connection/bridge/state".to_owned(), b"0".to_vec(), 0));
        assert_eq!(client.connect(&connect)[1], expected);
    }
    // A user without a rule.
    let own = format!("uid = {}", rustix::process::getuid().as_raw());
    world.gateway.configure(&own, "uid = 61000");
    world.gateway.write_config();
    world.gateway.process().signal(rig::process::Signal::HUP).unwrap();
    world.gateway.wait_for_log("configuration: read again");
    for (version, expected) in [(V5, 0x87), (V3_1_1, 5)] {
        let mut client = Client::on_socket(&world.gateway, version);
        assert_eq!(client.connect(&Connect::new("stranger"))[1], expected);
    }
}
