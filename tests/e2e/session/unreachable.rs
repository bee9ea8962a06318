//! Causes that prevent CONNECT from reaching AWS: each is reported, with the next step if there is one.

use serde_json::Value;

use crate::cloud_view::{connects, mark};
use crate::registry::bring_online_registered;
use crate::support::World;

#[test]
fn promise_8_the_obstacle_is_reported() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world.gateway.stop();
    let endpoint = world.cloud.mqtt_endpoint();
    let root = world.cloud.root_ca_path().display().to_string();
    let other_root = world.ca.ca_pem_path().display().to_string();
    let closed = format!("localhost:{}", rig::port::free_pair().unwrap());
    let waits: Option<&str> = None;
    // A changed value in the configuration, the expected message, and the next step.
    let cases = [
        (
            &endpoint,
            "no-such-host.invalid:8883",
            "failed to lookup address",
            waits,
        ),
        (&endpoint, &closed, "cannot be reached: Connection refused", waits),
        (&root, &other_root, "UnknownIssuer", Some("check aws.root-ca")),
    ];
    let good = world.gateway.config.clone();
    for (old, new, words, next_step) in cases {
        let before = mark(&world.cloud);
        world.gateway.configure(&format!("\"{old}\""), &format!("\"{new}\""));
        world.gateway.start();
        world.gateway.wait_for_words("session.problem.message", words);
        let status = world.gateway.status();
        let problem = &status["session"]["problem"];
        match next_step {
            Some(step) => {
                assert_eq!(problem["remedy"], "configuration", "{new}");
                assert!(problem["next_step"].as_str().unwrap().contains(step), "{problem}");
                assert_eq!(status["state"], "attention", "{new}");
            }
            None => assert_eq!(
                (&problem["remedy"], &problem["next_step"]),
                (&Value::from("wait"), &Value::Null)
            ),
        }
        assert_ne!(
            status["session"]["next_attempt"],
            Value::Null,
            "{new}: it is tried again"
        );
        assert_eq!(
            status["provisioning"]["phase"], "provisioned",
            "{new}: AWS has not refused anything"
        );
        assert_eq!(connects(&world.cloud, before), 0, "{new}");
        world.gateway.stop();
        world.gateway.config.clone_from(&good);
    }
    world.gateway.start();
    world.gateway.wait_online();
}
