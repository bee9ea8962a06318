//! CONNACK refuses, or grants less than was requested.

use cloudlet::Policy;
use serde_json::json;

use crate::cloud_view::{connects, mark, refusals};
use crate::registry::{attach, bring_online_registered, certificate_with};
use crate::support::{THING, World, options};

#[test]
fn promise_8_a_refused_connect_is_named_and_tried_again() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world.gateway.stop();
    let with_will = world.gateway.config.clone();
    let without_will = format!("{with_will}[mqtt]\npresence-topic = \"\"\n");
    // One code that somebody must act on, with a will that AWS may mean and without one, and one that passes. The unit tests of
    // src/cloud/mqtt/tests and src/cloud/session/problems.rs have the others.
    for (config, code, words, state) in [
        (&with_will, 0x87, "not authorized (0x87)", "attention"),
        (&without_will, 0x87, "not authorized (0x87)", "attention"),
        (&with_will, 0x97, "quota exceeded (0x97)", "waiting"),
    ] {
        world.gateway.config.clone_from(config);
        world
            .cloud
            .switches()
            .set(|switches| switches.refuse_connect = Some(code));
        let before = mark(&world.cloud);
        world.gateway.start();
        world.gateway.wait_for_words("session.problem.message", words);
        rig::wait::until(crate::support::SOON, "a second try", || {
            connects(&world.cloud, before) > 1
        })
        .unwrap();
        // Credentials come from another endpoint; valid ones do not hide this problem.
        world.gateway.wait_for_text("state", state);
        world.cloud.switches().set(|switches| switches.refuse_connect = None);
        world.gateway.wait_for_text("session.phase", "connected");
        world.gateway.stop();
    }
}

/// Returns the article's policy without the presence topic.
pub fn policy_without_presence() -> Policy {
    let thing = "${iot:Connection.Thing.ThingName}";
    let document = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:Connect", "Resource": format!("arn:aws:iot:*:*:client/{thing}") },
        { "Effect": "Allow", "Action": "iot:Publish", "Resource": format!("arn:aws:iot:*:*:topic/{thing}/data/*") },
        { "Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate", "Resource": "*" },
    ]});
    Policy::new("without-presence", &document.to_string()).unwrap()
}

#[test]
fn promise_6_a_policy_without_the_presence_topic_costs_presence_and_nothing_else() {
    let mut world = World::new();
    world.gateway.start();
    let csr = world.gateway.wait_for_csr();
    let (pem, id) = certificate_with(&world, &csr, &policy_without_presence());
    world.gateway.install(&pem);
    world.gateway.wait_for_text("session.phase", "connected");
    world
        .gateway
        .wait_for_words("session.problem.message", "AWS refuses the presence topic");
    world
        .gateway
        .wait_for_words("session.problem.next_step", "set mqtt.presence-topic to \"\"");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    assert_eq!(world.gateway.status()["state"], "attention");
    assert_eq!(refusals(&world.cloud, 0).len(), 1, "with the will only");

    // After a restart, or a new connection after a stable session, the corrected policy is noticed.
    attach(&world.cloud, &id, &options().policy);
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_online();
    assert!(
        world
            .cloud
            .connections()
            .iter()
            .any(|connection| connection.client_id == THING)
    );
}
