//! Addresses that drop everything, before the one that answers (RFC 8305).

use rig::network::{CLOUD, CLOUD_NAME, Network};
use rig::token::SoftHsm;
use rig::user;

use crate::support::{PIN, World, options};

#[test]
fn promise_15_ipv6_that_leads_nowhere_keeps_no_gateway_offline() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a network of its own, because only root may have one");
    }
    let network = Network::new().unwrap();
    network
        .in_cloud(|| {
            let mut options = options();
            (options.listen, options.host) = (CLOUD.parse().unwrap(), CLOUD_NAME.to_owned());
            let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options);
            world.gateway.through = network.at_gateway();
            // Tried one after the other, they would take longer than this test waits for the session.
            network.add_black_holes(9).unwrap();
            world.bring_online();
            world.gateway.wait_for_text("session.phase", "connected");
        })
        .unwrap();
}
