//! {thing}/gatepost/status: presence with a report of the gateway's health.

use cloudlet::{Event, Policy};
use serde_json::json;

use super::world;
use crate::dashboard::Dashboard;
use crate::registry::{attach, bring_online_known};
use crate::world::{SOON, THING, World};

#[test]
fn health_is_reported_when_it_changes() {
    let mut world = World::new();
    let dashboard = Dashboard::start(&world);
    bring_online_known(&mut world);
    let found = rig::wait::until_some(SOON, "a report with credentials in it", || {
        let all = dashboard.presence();
        all.into_iter()
            .find(|report| report["role_aliases"][0]["phase"] == "valid")
    });
    let report = found.unwrap();
    assert_eq!(report["state"], "online");
    assert_eq!(report["role_aliases"][0]["name"], "telemetry");
    assert!(
        report["certificate_expires"].as_str().unwrap().ends_with('Z'),
        "{report}"
    );
    assert_eq!(report["outbox"]["queued"], 0);
    assert_eq!(report["problems"], json!([]));
}

#[test]
fn reports_can_be_switched_off() {
    let mut world = World::new();
    world.gateway.config.push_str("[mqtt]\nreport-interval = \"off\"\n");
    let dashboard = Dashboard::start(&world);
    bring_online_known(&mut world);
    rig::wait::until(SOON, "presence", || !dashboard.presence().is_empty()).unwrap();
    assert_eq!(
        dashboard.presence(),
        [json!({ "state": "online", "version": env!("CARGO_PKG_VERSION") })]
    );
}

#[test]
fn presence_is_retained_where_the_policy_allows_it_and_costs_no_connection_where_not() {
    let mut world = world();
    let refused = |world: &World| {
        let refused = |event: &&Event| matches!(event, Event::Decided { decision, .. } if decision.action == "iot:RetainPublish" && !decision.allowed);
        world.cloud.events().iter().filter(refused).count()
    };
    assert_eq!(refused(&world), 1, "it is tried once");
    assert_eq!(world.gateway.status()["session"]["problem"], json!(null));
    let retain = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:RetainPublish", "Resource": "*" },
    ]});
    attach(
        &world.cloud,
        &world.certificate_id(),
        &Policy::new("retain", &retain.to_string()).unwrap(),
    );
    for _ in 0..2 {
        world.gateway.stop();
        world.gateway.start();
        world.gateway.wait_online();
    }
    world.gateway.kill();
    let watch = || Dashboard::watching(&world, &format!("{THING}/gatepost/status"));
    let dashboard = watch();
    let is_offline = || {
        dashboard
            .presence()
            .last()
            .is_some_and(|last| last["state"] == "offline")
    };
    rig::wait::until(SOON, "the will", is_offline).unwrap();
    // The will is published, so whoever subscribes from now on gets it first, if it is retained.
    let later = watch();
    rig::wait::until(SOON, "a retained will", || !later.presence().is_empty()).unwrap();
    assert_eq!(later.presence()[0]["state"], "offline");
}
