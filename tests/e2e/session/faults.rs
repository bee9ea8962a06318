//! Connections that break in the middle.

use std::time::Duration;

use crate::cloud_view::{end_of_connection, mark};
use crate::registry::bring_online_registered;
use crate::support::{THING, World};

#[test]
fn promise_8_broken_connections_are_reopened_with_backoff() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world
        .cloud
        .switches()
        .set(|switches| switches.cut_after_packets = Some(0));
    let before = mark(&world.cloud);
    world.cloud.disconnect(THING);
    assert_eq!(end_of_connection(&world.cloud, before), "server-initiated");
    world
        .gateway
        .wait_for_log("AWS ended the connection: administrative action (0x98)");
    // Each cut comes after a CONNACK, but the pauses still grow: only a stable session counts as a success.
    let mut last = String::new();
    for _ in 0..3 {
        let next = world.gateway.wait_for("session.next_attempt", |next| {
            next.as_str().is_some_and(|next| *next > *last)
        });
        next.as_str().unwrap().clone_into(&mut last);
    }
    world.gateway.wait_for_log("was lost");
    assert_eq!(world.gateway.status()["provisioning"]["phase"], "provisioned");
    world.cloud.switches().set(|switches| switches.cut_after_packets = None);
    world.gateway.wait_online();
}

#[test]
fn promise_8_late_and_missing_acknowledgements_are_handled() {
    let mut world = World::new();
    world.cloud.switches().set(|switches| {
        switches.delay_pubacks = Some(Duration::from_millis(1500));
    });
    bring_online_registered(&mut world);
    let before = mark(&world.cloud);
    world.cloud.switches().set(|switches| {
        switches.delay_pubacks = None;
        switches.drop_puback = Some(1);
    });
    world.gateway.kill();
    world.gateway.start();
    let swallowed = |event: &cloudlet::Event| matches!(event, cloudlet::Event::PubackSwallowed { .. });
    world
        .cloud
        .wait_for_after(before, crate::support::SOON, swallowed)
        .unwrap();
    world.gateway.wait_online();
    world.gateway.stop();
}
