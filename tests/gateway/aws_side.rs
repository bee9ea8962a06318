//! The AWS side as config/aws describes it: what the README tells people to register is enough for a first boot.

use std::path::Path;

use cloudlet::{Policy, Template};

use crate::world::{World, options};

#[test]
fn the_shipped_provisioning_template_brings_a_gateway_online() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/aws/provisioning-template.json");
    let cloud = options();
    let text = std::fs::read_to_string(path)
        .unwrap()
        .replace("REGION", &cloud.region)
        .replace("ACCOUNT", &cloud.account);
    let template = Template::parse(&text).unwrap();
    let mut world = World::with(
        Box::new(rig::token::SoftHsm::new("gateway", crate::world::PIN).unwrap()),
        cloudlet::Options {
            // The template's own policy must be enough; this one is for the article's template.
            policy: Policy::seed_strict(),
            ..cloud
        },
    );
    world.cloud.register_ca(&world.ca.ca_pem().unwrap(), template).unwrap();
    world.bring_online();
    assert!(
        world.gateway.status()["session"]["problem"].is_null(),
        "presence is allowed"
    );
    world.gateway.stop();
}
