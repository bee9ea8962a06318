//! Behaviour that shows only after half a minute or more. All gateways wait concurrently, to keep the test short.

use std::time::Duration;

use crate::cloud_view::{connects, mark, refusals, session_present};
use crate::registry::{bring_online_registered, certificate_with};
use crate::relay::Relay;
use crate::support::{THING, World};

use super::refusals::policy_without_presence;

/// One and a half keep-alives, and more for a slow machine.
const PATIENCE: Duration = Duration::from_secs(150);

#[test]
fn promise_8_silent_connections_are_given_up() {
    // src/cloud/mqtt/tests/connecting.rs tests a first contact that hangs, and a handshake that never ends. Here are two open sessions with
    // the shortest keep-alive; one of them loses its network silently.
    let [mut quiet, mut cut] = [World::new(), World::new()];
    let network = Relay::to(&cut.cloud.mqtt_endpoint());
    cut.gateway.configure(&cut.cloud.mqtt_endpoint(), &network.endpoint());
    for world in [&mut quiet, &mut cut] {
        world.gateway.config.push_str("[mqtt]\nkeep-alive = \"30s\"\n");
        bring_online_registered(world);
    }
    let quiet_since = mark(&quiet.cloud);
    network.set_silent(true);

    // A gateway that is not allowed to use presence.
    let mut modest = World::new();
    modest.gateway.start();
    let csr = modest.gateway.wait_for_csr();
    let (pem, _) = certificate_with(&modest, &csr, &policy_without_presence());
    modest.gateway.install(&pem);
    modest.gateway.wait_for_text("state", "attention");
    let words = format!("the presence topic {THING}/gatepost/status");
    modest.gateway.wait_for_words("session.problem.message", &words);

    cut.gateway.wait_longer_for(PATIENCE, "session.problem.message", |why| {
        why.as_str().is_some_and(|why| why.contains("not even PINGRESP"))
    });
    network.set_silent(false);
    cut.gateway
        .wait_longer_for(PATIENCE, "session.phase", |phase| phase == "connected");

    // By now AWS would have ended a session that had been silent for one and a half keep-alives.
    assert_eq!(connects(&quiet.cloud, quiet_since), 0);
    assert!(
        quiet
            .cloud
            .connections()
            .iter()
            .any(|connection| connection.client_id == THING)
    );

    // The session has been stable long enough, but presence is still not used: the next session has no will that could end it.
    let before = mark(&modest.cloud);
    modest.cloud.disconnect(THING);
    session_present(&modest.cloud, before);
    assert_eq!(refusals(&modest.cloud, before), Vec::<String>::new());
}
