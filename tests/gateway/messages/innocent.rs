//! A message that happens to be under way when a connection ends is not the reason.

use std::time::Duration;

use cloudlet::Event;

use super::{publish, world};
use crate::cloud_view::mark;
use crate::world::{SOON, THING};

#[test]
fn promise_6_no_message_is_blamed_for_what_aws_does_by_itself() {
    let world = world();
    let switches = world.cloud.switches();
    switches.set(|switches| switches.delay_pubacks = Some(Duration::from_secs(3600)));
    let topic = format!("{THING}/data");
    let mut before = mark(&world.cloud);
    publish(&world.gateway, &topic, "innocent");
    // More often than a guilty one is given.
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
