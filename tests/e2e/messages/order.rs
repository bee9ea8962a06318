//! The order of a topic's messages, if AWS does not accept all of them at once.

use cloudlet::Event;

use super::{back_online, configure, publish, take_offline};
use crate::dashboard::Dashboard;
use crate::registry::bring_online_registered;
use crate::support::{SOON, THING, World};

#[test]
fn later_messages_of_a_topic_wait_for_a_deferred_one() {
    let mut world = World::new();
    configure(&mut world);
    world.gateway.config.push_str("[mqtt]\npublish-rate = 1\n");
    bring_online_registered(&mut world);
    let dashboard = Dashboard::start(&world);
    take_offline(&world);
    let topic = format!("{THING}/data");
    let payloads = ["0", "1", "2", "3"];
    for payload in payloads {
        publish(&world.gateway, &topic, payload);
    }
    // The first packet is presence; the next one is answered with 0x97, quota exceeded.
    let switches = world.cloud.switches();
    switches.set(|switches| switches.publishes_per_second = 1);
    back_online(&world);
    let put_off = |event: &Event| matches!(event, Event::Discarded { topic: at, .. } if *at == topic);
    world.cloud.wait_for(SOON, put_off).unwrap();
    switches.set(|switches| switches.publishes_per_second = 100);
    dashboard.wait_for(&topic, "3");
    assert_eq!(dashboard.payloads(&topic), payloads);
    assert_eq!(world.gateway.status()["messages"]["parked"], 0);
}
