//! Sessions that outlive their connection: stored on the disk, bounded, and deleted once they have expired.

use serde_json::Value;

use super::packets::{Client, Connect, Packet, V3_1_1, V5, text};
use super::{SECRET, switch_on, world};
use crate::dashboard::Dashboard;
use crate::messages::subscribed;
use crate::registry::bring_online_registered;
use crate::support::{Gateway, SOON, THING, World};

/// Returns the property Session Expiry Interval.
fn expiry(seconds: u32) -> Vec<u8> {
    let mut property = vec![0x11];
    property.extend(seconds.to_be_bytes());
    property
}

/// Connects with a persistent session, and returns whether it was present.
fn resume(gateway: &Gateway, version: u8, client_id: &str) -> (Client, bool) {
    let mut client = Client::on_socket(gateway, version);
    let mut connect = Connect::new(client_id);
    connect.clean = false;
    connect.properties = expiry(3600);
    let connack = client.connect(&connect);
    assert_eq!(connack[1], 0, "{connack:?}");
    (client, connack[0] == 1)
}

/// Reads a message: its first byte, its packet identifier and its payload.
fn message(client: &mut Client, version: u8) -> (u8, u16, String) {
    let Packet { first, body } = client.receive().expect("no message");
    assert_eq!(first & 0xf0, 0x30, "{first:#x} {body:?}");
    let topic = usize::from(u16::from_be_bytes([body[0], body[1]])) + 2;
    let id = u16::from_be_bytes([body[topic], body[topic + 1]]);
    let payload = &body[topic + 2 + usize::from(version == V5)..];
    (first, id, String::from_utf8(payload.to_vec()).unwrap())
}

fn acknowledge(client: &mut Client, id: u16) {
    client.send(0x40, &id.to_be_bytes());
}

fn sessions(gateway: &Gateway) -> Vec<Value> {
    let listed = gateway.get("/subscriptions").json().unwrap();
    listed["subscriptions"].as_array().unwrap().clone()
}

#[test]
fn messages_for_an_absent_client_are_delivered_when_it_returns_even_after_a_kill() {
    let (mut world, _) = world();
    let dashboard = Dashboard::start(&world);
    for version in [V3_1_1, V5] {
        let client_id = format!("away-{version}");
        let (mut client, present) = resume(&world.gateway, version, &client_id);
        assert!(!present);
        let filter = format!("{THING}/away/{version}");
        assert_eq!(client.subscribe(1, &[(&filter, 1), ("{thing}/zero", 0)]), [1, 0]);
        drop(client);
    }
    for number in 0..3 {
        for version in [V3_1_1, V5] {
            dashboard.publish(&format!("{THING}/away/{version}"), &number.to_string(), &[]);
        }
    }
    rig::wait::until(SOON, "all are stored", || {
        sessions(&world.gateway).iter().all(|session| session["waiting"] == 3)
    })
    .unwrap();
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for_log("mqtt.sock");
    for version in [V3_1_1, V5] {
        let (mut client, present) = resume(&world.gateway, version, &format!("away-{version}"));
        assert!(present);
        for number in 0..3 {
            let (_, id, payload) = message(&mut client, version);
            assert_eq!(payload, number.to_string());
            acknowledge(&mut client, id);
        }
    }
    rig::wait::until(SOON, "all are deleted", || {
        sessions(&world.gateway).iter().all(|session| session["waiting"] == 0)
    })
    .unwrap();
    assert_eq!(sessions(&world.gateway).len(), 2);
}

#[test]
fn unacknowledged_messages_are_sent_again_with_the_same_identifier() {
    let (mut world, _) = world();
    let dashboard = Dashboard::start(&world);
    let topic = format!("{THING}/again");
    let (mut client, _) = resume(&world.gateway, V5, "again");
    assert_eq!(client.subscribe(1, &[(&topic, 1)]), [1]);
    for payload in ["a", "b", "c"] {
        dashboard.publish(&topic, payload, &[]);
    }
    let first: Vec<_> = (0..3).map(|_| message(&mut client, V5)).collect();
    assert_eq!(first.iter().map(|(first, ..)| *first).collect::<Vec<_>>(), [0x32; 3]);
    acknowledge(&mut client, first[1].1);
    rig::wait::until(SOON, "one is deleted", || sessions(&world.gateway)[0]["waiting"] == 2).unwrap();
    drop(client);
    let again = |client: &mut Client| -> Vec<(u8, u16, String)> {
        let all: Vec<_> = (0..2).map(|_| message(client, V5)).collect();
        for (one, index) in all.iter().zip([0, 2]) {
            assert_eq!(*one, (0x3a, first[index].1, first[index].2.clone()));
        }
        all
    };
    let (mut client, present) = resume(&world.gateway, V5, "again");
    assert!(present);
    again(&mut client);
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for_log("mqtt.sock");
    let (mut client, present) = resume(&world.gateway, V5, "again");
    assert!(present);
    for (_, id, _) in again(&mut client) {
        acknowledge(&mut client, id);
    }
    rig::wait::until(SOON, "all are deleted", || sessions(&world.gateway)[0]["waiting"] == 0).unwrap();
    // New messages have no DUP flag.
    subscribed(&world, &topic);
    dashboard.publish(&topic, "d", &[]);
    assert_eq!(message(&mut client, V5).0, 0x32);
}

#[test]
fn an_expired_session_is_deleted_from_the_disk() {
    let (world, _) = world();
    let connect = || {
        let mut client = Client::on_socket(&world.gateway, V5);
        let mut connect = Connect::new("brief");
        connect.clean = false;
        connect.properties = expiry(1);
        client.connect(&connect)[0]
    };
    assert_eq!(connect(), 0);
    rig::wait::until(SOON, "it has expired", || sessions(&world.gateway).is_empty()).unwrap();
    assert_eq!(connect(), 0, "it is not present any more");
}

#[test]
fn sessions_are_listed_with_subscriptions_and_an_operator_can_end_them() {
    let (world, _) = world();
    let (mut client, _) = resume(&world.gateway, V5, "listed");
    assert_eq!(client.subscribe(1, &[("{thing}/a", 1), ("{thing}/b/#", 0)]), [1, 0]);
    let listed = sessions(&world.gateway);
    assert_eq!(listed[0]["client_id"], "listed");
    assert_eq!(listed[0]["filter"], format!("{THING}/a, {THING}/b/#"));
    let name = listed[0]["name"].as_str().unwrap();
    let deleted = crate::command::run(&mut crate::command::client(
        &world.gateway,
        &["subscriptions", "delete", name],
    ));
    assert_eq!(deleted.0, 0, "{deleted:?}");
    assert_eq!(client.end(), Some(0x98));
    assert!(sessions(&world.gateway).is_empty());
}

#[test]
fn promise_7_no_other_account_sees_or_takes_over_a_session() {
    let mut world = World::new();
    let address = switch_on(&mut world);
    let other = world.gateway.folder.path().join("other");
    std::fs::write(&other, SECRET.replace("secret", "others")).unwrap();
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    world.gateway.config.push_str(&format!(
        "\n[[access]]\nuid = 61000\nsubscribe = [\"{{thing}}/other/#\"]\ntoken-file = \"{}\"\n",
        other.display()
    ));
    bring_online_registered(&mut world);
    world.gateway.wait_for_log(&format!("listens at {address}"));
    let (mut mine, _) = resume(&world.gateway, V5, "same");
    assert_eq!(mine.subscribe(1, &[("{thing}/a", 1)]), [1]);
    let mut theirs = Client::on_address(address, V5);
    let mut connect = Connect::new("same");
    (connect.clean, connect.properties) = (false, expiry(3600));
    connect.password = Some(SECRET.replace("secret", "others").into());
    let connack = theirs.connect(&connect);
    assert_eq!(connack[..2], [0, 0], "{connack:?}");
    let mut unsubscribe = vec![0, 1, 0];
    unsubscribe.extend(text("{thing}/a"));
    theirs.send(0xa2, &unsubscribe);
    assert_eq!(theirs.receive().unwrap().body, [0, 1, 0, 0x11]);
    mine.send(0xc0, &[]);
    assert_eq!(mine.receive().unwrap().first, 0xd0, "it is still connected");
    assert_eq!(sessions(&world.gateway).len(), 2);
}
