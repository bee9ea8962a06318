//! Messages that cannot be stored for a durable subscription stay with AWS, and do not delay messages of other subscribers.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rig::user;

use super::{Subscription, configure, subscribed, world};
use crate::dashboard::Dashboard;
use crate::faults::SmallDisk;
use crate::registry::bring_online_registered;
use crate::support::{Gateway, THING, World};

/// Creates a subscription and disconnects.
fn leave_a_subscription(world: &World) {
    drop(Subscription::open(&world.gateway, &jobs()));
    subscribed(world, &format!("{THING}/jobs"));
}

fn jobs() -> String {
    format!("{THING}/jobs?name=worker")
}

/// Asserts that another program meanwhile gets its messages.
fn others_go_on(gateway: &Gateway, dashboard: &Dashboard, payload: &str) {
    let topic = format!("{THING}/news");
    let mut other = Subscription::open(gateway, &topic);
    // AWS may not have the subscription yet; the arrival of the retained message shows that it has.
    dashboard.publish(&topic, payload, &["-r"]);
    other.expect(payload);
}

#[test]
fn promise_5_messages_that_a_full_disk_cannot_store_stay_with_aws() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a full disk, because only root may mount a small one");
    }
    let mut world = World::new();
    configure(&mut world);
    let disk = SmallDisk::at(&world.gateway.state(""), 8);
    bring_online_registered(&mut world);
    let dashboard = Dashboard::start(&world);
    leave_a_subscription(&world);
    disk.fill();
    // Larger than the free space that SQLite may have in its files.
    let job = |number: usize| format!("{number} {}", "x".repeat(100_000));
    for number in 0..2 {
        dashboard.publish(&format!("{THING}/jobs"), &job(number), &[]);
    }
    world.gateway.wait_for_text("messages.phase", "failed");
    assert_eq!(world.gateway.status()["state"], "attention", "somebody must free space");
    others_go_on(&world.gateway, &dashboard, "while it is full");
    assert_eq!(world.gateway.status()["session"]["connects"], 1);
    // No message is in the daemon's memory alone.
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    others_go_on(&world.gateway, &dashboard, "after a kill");
    disk.free();
    let mut program = Subscription::open(&world.gateway, &jobs());
    for number in 0..2 {
        assert_eq!(program.payload(), job(number));
    }
    dashboard.publish(&format!("{THING}/jobs"), "2", &[]);
    assert_eq!(program.payload(), "2");
    let status = world.gateway.status();
    assert_eq!(status["messages"]["inbox_dropped"], 0, "{status:#}");
    assert_eq!(status["session"]["connects"], 1, "{status:#}");
}

#[test]
fn promise_5_messages_stay_with_aws_while_the_database_cannot_be_read() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    leave_a_subscription(&world);
    world.gateway.stop();
    // As a newer gatepost would leave it (SQLite, "Database File Format", 1.3: the user version is at offset 60).
    let database = File::options()
        .read(true)
        .write(true)
        .open(world.gateway.state("messages.db"))
        .unwrap();
    let mut version = [0; 4];
    database.read_exact_at(&mut version, 60).unwrap();
    database.write_all_at(&99_u32.to_be_bytes(), 60).unwrap();
    world.gateway.start();
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for_text("messages.phase", "failed");
    dashboard.publish(&format!("{THING}/jobs"), "do it", &[]);
    others_go_on(&world.gateway, &dashboard, "while it cannot be read");
    database.write_all_at(&version, 60).unwrap();
    world.gateway.wait_for_text("messages.phase", "ready");
    let mut program = Subscription::open(&world.gateway, &jobs());
    assert_eq!(program.payload(), "do it");
    assert_eq!(world.gateway.status()["messages"]["inbox_dropped"], 0);
}
