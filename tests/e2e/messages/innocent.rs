//! A message that happens to be in flight when a connection ends is not the cause.

use std::time::Duration;

use cloudlet::Event;

use super::{publish, request, world};
use crate::cloud_view::mark;
use crate::support::{SOON, THING};

#[test]
fn promise_6_no_message_is_blamed_for_what_aws_does_by_itself() {
    let world = world();
    let switches = world.cloud.switches();
    switches.set(|switches| switches.delay_pubacks = Some(Duration::from_secs(3600)));
    let topic = format!("{THING}/data");
    let mut before = mark(&world.cloud);
    publish(&world.gateway, &topic, "innocent");
    // More often than the number of strikes after which a message is parked.
    for _ in 0..4 {
        let sent = |event: &Event| matches!(event, Event::Published { topic: at, .. } if *at == topic);
        world.cloud.wait_for_after(before, SOON, sent).unwrap();
        before = mark(&world.cloud);
        // DISCONNECT with 0x98, administrative action.
        assert_eq!(world.cloud.disconnect(THING), 1);
    }
    switches.set(|switches| switches.delay_pubacks = None);
    world
        .gateway
        .wait_for("messages.acknowledged", |acknowledged| acknowledged == 1);
    assert_eq!(world.gateway.status()["messages"]["parked"], 0);
}

#[test]
fn promise_6_a_suspect_that_is_purged_slows_nobody_down() {
    let world = world();
    let switches = world.cloud.switches();
    switches.set(|switches| switches.hang_up_on = Some("/poison".to_owned()));
    publish(&world.gateway, &format!("{THING}/poison"), "x");
    world
        .gateway
        .wait_for("session.connects", |connects| connects.as_u64() > Some(1));
    assert_eq!(
        request(&world.gateway, "DELETE", "/v1/outbox/queued", "", b"").status,
        200
    );
    switches.set(|switches| switches.hang_up_on = None);
    world.gateway.wait_for_text("session.phase", "connected");
    switches.set(|switches| switches.delay_pubacks = Some(Duration::from_secs(3600)));
    let before = mark(&world.cloud);
    for number in 0..3 {
        publish(&world.gateway, &format!("{THING}/{number}"), "x");
    }
    // All of them are in flight at once: none is acknowledged.
    let last = |event: &Event| matches!(event, Event::Published { topic, .. } if topic.ends_with("/2"));
    world.cloud.wait_for_after(before, SOON, last).unwrap();
}
