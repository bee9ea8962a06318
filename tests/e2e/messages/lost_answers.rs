//! AWS carries out a request, and its answer is lost.

use super::{Subscription, world_behind_a_relay};
use crate::cloud_view::{mark, session_present};
use crate::dashboard::Dashboard;
use crate::support::{SOON, THING, World};

#[test]
fn promise_8_a_lost_unsuback_loses_no_messages() {
    let (mut world, network) = world_behind_a_relay();
    let dashboard = Dashboard::start(&world);
    for (filter, topic, killed) in [("cmd", "cmd", false), ("news/#", "news/a", true)] {
        let (filter, topic) = (format!("{THING}/{filter}"), format!("{THING}/{topic}"));
        let target = filter.replace('#', "%23");
        // The lifecycle events of AWS tell when a client unsubscribes.
        let unsubscribed = format!("$aws/events/subscriptions/unsubscribed/{THING}");
        let watching = Dashboard::watching(&world, &unsubscribed);
        let program = Subscription::open(&world.gateway, &target);
        world.gateway.wait_for_log(&format!("subscribed to {filter}"));
        drop(program);
        network.lose_answers(true);
        let seen = || watching.messages().iter().any(|(_, event)| event.contains(&filter));
        rig::wait::until(SOON, "UNSUBSCRIBE", seen).unwrap();
        if killed {
            world.gateway.kill();
            network.lose_answers(false);
            world.gateway.start();
            world.gateway.wait_for_text("identity.phase", "ready");
        }
        let before = mark(&world.cloud);
        let mut program = Subscription::open(&world.gateway, &format!("{target}?name={killed}"));
        if !killed {
            world.cloud.disconnect(THING);
            world.gateway.wait_for_log("was lost");
            network.lose_answers(false);
            assert!(session_present(&world.cloud, before));
        }
        asked_for(&world, before);
        dashboard.publish(&topic, "heard", &[]);
        program.expect("heard");
    }
}

/// Waits until the gateway subscribes to a filter at AWS.
fn asked_for(world: &World, after: usize) {
    let asked = |event: &cloudlet::Event| matches!(event, cloudlet::Event::Decided { decision, .. } if decision.action == "iot:Subscribe");
    world.cloud.wait_for_after(after, SOON, asked).unwrap();
}
