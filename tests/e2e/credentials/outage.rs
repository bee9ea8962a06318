//! Credentials while AWS's MQTT endpoint has a fault.

use std::time::Duration;

use crate::operator::retry::refresh;
use crate::support::{SOON, THING, World};

#[test]
fn promise_4_credentials_are_refreshed_while_every_connect_is_dropped() {
    let mut world = World::new();
    world.bring_online();
    // From now on every CONNECT comes too soon, and is dropped without CONNACK, like AWS does.
    world
        .cloud
        .switches()
        .set(|s| s.connect_interval = Duration::from_secs(24 * 3600));
    world.cloud.disconnect(THING);
    world.gateway.wait_for("session.phase", |phase| phase != "connected");
    // AWS gives credentials for this certificate, so it is active.
    let before = world.cloud.credential_requests("telemetry");
    refresh(&world.gateway, "telemetry");
    assert_eq!(world.cloud.credential_requests("telemetry"), before + 1);
    world
        .gateway
        .wait_longer_for(3 * SOON, "provisioning.problem.message", |why| {
            why.as_str().is_some_and(|why| {
                why.contains("AWS accepts no connection now") && why.contains("the certificate is active")
            })
        });
    assert_eq!(world.gateway.status()["provisioning"]["phase"], "provisioned");
    assert_eq!(world.gateway.credentials().status, 200);

    // A restart during the outage requests credentials at once, too.
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world.gateway.stop();
}
