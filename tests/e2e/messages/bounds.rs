//! The outbox is bounded, reports when it is full, and survives a broken database.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rig::user;

use super::{back_online, post, publish, take_offline};
use crate::faults::SmallDisk;
use crate::registry::bring_online_registered;
use crate::support::{THING, World};

fn offline(bounds: &str) -> World {
    let mut world = World::new();
    super::configure(&mut world);
    world.gateway.config.push_str(&format!("[mqtt]\n{bounds}\n"));
    bring_online_registered(&mut world);
    take_offline(&world);
    world
}

#[test]
fn promise_5_a_full_outbox_is_always_reported() {
    for (bounds, payload, fit) in [
        ("outbox-max-messages = 3", "x".to_owned(), 3),
        ("outbox-max-bytes = 262144", "x".repeat(100_000), 2),
    ] {
        let world = offline(bounds);
        let target = format!("/topics/{THING}/data");
        for _ in 0..fit {
            publish(&world.gateway, &format!("{THING}/data"), &payload);
        }
        let answer = post(&world.gateway, &target, "", payload.as_bytes());
        assert_eq!(answer.status, 507, "{bounds}: {:?}", answer.json());
        let refusal = answer.json().unwrap();
        assert_eq!(refusal["code"], "outbox_full");
        assert!(
            refusal["message"].as_str().unwrap().contains("the outbox is full"),
            "{refusal}"
        );
        let status = world.gateway.status();
        assert_eq!(
            (&status["messages"]["queued"], &status["messages"]["refused"]),
            (&fit.into(), &1.into())
        );
        back_online(&world);
        world.gateway.wait_for("messages.queued", |queued| queued == 0);
        publish(&world.gateway, &format!("{THING}/data"), &payload);
    }
}

#[test]
fn the_oldest_messages_make_room_if_configured() {
    let world = offline("outbox-max-messages = 3\noutbox-when-full = \"drop-oldest\"");
    for number in 0..5 {
        publish(&world.gateway, &format!("{THING}/data"), &number.to_string());
    }
    let list = world.gateway.get("/v1/outbox/queued").json().unwrap();
    let numbers: Vec<u64> = list["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["id"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [3, 4, 5]);
    assert_eq!(world.gateway.status()["messages"]["dropped"], 2);
    let log = world.gateway.log();
    assert_eq!(log.matches("outbox: full; the oldest").count(), 1, "{log}");
}

#[test]
fn properties_count_towards_the_limits() {
    let mut world = offline("");
    let user = STANDARD.encode(serde_json::json!(vec![serde_json::json!({ "": "\"" }); 500]).to_string());
    let headers = format!("x-amz-mqtt5-user-properties: {user}\r\n");
    for _ in 0..3 {
        let answer = post(&world.gateway, &format!("/topics/{THING}/data"), &headers, b"x");
        assert_eq!(answer.status, 200, "{:?}", answer.json());
    }
    let before = world.gateway.status()["messages"]["queued_bytes"].clone();
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_for_text("messages.phase", "ready");
    assert_eq!(world.gateway.status()["messages"]["queued_bytes"], before);
    back_online(&world);
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
    assert_eq!(world.gateway.status()["messages"]["queued_bytes"], 0);
}

#[test]
fn parked_messages_are_tried_again_only_as_far_as_there_is_room() {
    let mut world = World::new();
    super::configure(&mut world);
    world.gateway.config.push_str("[mqtt]\noutbox-max-messages = 3\n");
    bring_online_registered(&mut world);
    for parked in 1..=3 {
        publish(&world.gateway, "others/data", "refused");
        world.gateway.wait_for("messages.parked", |all| *all == parked);
    }
    take_offline(&world);
    publish(&world.gateway, &format!("{THING}/data"), "waits");
    let answer = post(&world.gateway, "/v1/outbox/parked/retry", "", b"");
    assert_eq!(answer.status, 507, "{:?}", answer.json());
    let refusal = answer.json().unwrap();
    assert_eq!(refusal["code"], "outbox_full", "{refusal}");
    let messages = &world.gateway.status()["messages"];
    assert_eq!((&messages["queued"], &messages["parked"]), (&3.into(), &1.into()));
}

#[test]
fn promise_8_a_corrupt_database_is_set_aside_and_recreated() {
    let mut world = offline("");
    publish(&world.gateway, &format!("{THING}/data"), "in the old file");
    world.gateway.stop();
    let path = world.gateway.state("messages.db");
    let whole = fs::read(&path).unwrap();
    // The header of another kind of file, a damaged page in the middle, and half a file.
    let mut page = whole.clone();
    page[1024..4096].fill(0x55);
    for (what, broken) in [
        ("header", vec![0x55; 8192]),
        ("page", page),
        ("half", whole[..whole.len() / 2].to_vec()),
    ] {
        fs::write(&path, &broken).unwrap();
        world.gateway.start();
        world
            .gateway
            .wait_for("messages.set_aside", |aside| aside.is_string() || what == "half");
        world.gateway.wait_for_text("messages.phase", "ready");
        world.gateway.wait_for_text("identity.phase", "ready");
        publish(&world.gateway, &format!("{THING}/data"), "in the new one");
        assert!(world.gateway.log().contains("was corrupt"), "{what}");
        world.gateway.stop();
    }
}

#[test]
fn promise_5_a_disk_filled_by_the_outbox_recovers_when_aws_accepts_the_messages() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a full disk, because only root may mount a small one");
    }
    let mut world = World::new();
    super::configure(&mut world);
    let _disk = SmallDisk::at(&world.gateway.state(""), 3);
    bring_online_registered(&mut world);
    take_offline(&world);
    let publish = |world: &World, size: usize| {
        let payload = "x".repeat(size);
        post(&world.gateway, &format!("/topics/{THING}/data"), "", payload.as_bytes())
    };
    // Fill it until not even the smallest message fits, whatever room a larger one has left.
    let mut accepted = 0;
    for size in [3000, 300, 1] {
        let refused = loop {
            let answer = publish(&world, size);
            if answer.status != 200 {
                break answer;
            }
            accepted += 1;
        };
        assert_eq!(refused.status, 507, "{:?}", refused.json());
        assert_eq!(refused.json().unwrap()["code"], "disk_full");
    }
    assert_eq!(world.gateway.status()["messages"]["queued"], accepted);
    back_online(&world);
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
    for _ in 0..50 {
        let answer = publish(&world, 3000);
        assert_eq!(answer.status, 200, "{:?}", answer.json());
    }
    world.gateway.wait_for_text("messages.phase", "ready");
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
    // The fact that they were sent is on the disk as well.
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_for_text("messages.phase", "ready");
    assert_eq!(world.gateway.status()["messages"]["queued"], 0);
}
