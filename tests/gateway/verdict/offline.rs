//! Gateways that are not online.

use cloudlet::Options;
use cloudlet::switches::Answer;
use rig::network::{CLOUD, CLOUD_NAME, Network};
use rig::token::SoftHsm;
use rig::user;

use super::{all_say, expected};
use crate::registry::bring_online_known;
use crate::systemd::managed;
use crate::world::{PIN, World, options};

#[test]
fn promise_16_a_gateway_on_its_way_is_told_by_every_output() {
    let mut world = managed();
    world.gateway.start();
    world.gateway.wait_for_csr();
    let awaited = expected(
        "waiting",
        69,
        Some("certificate-awaited"),
        "waiting for a certificate at",
    );
    all_say(&mut world, None, &awaited);
    world.gateway.install(&world.ca.for_another_key("/CN=gw-1").unwrap());
    let refused = expected("attention", 78, Some("certificate-refused"), "is for another key");
    all_say(&mut world, None, &refused);
    world.gateway.stop();

    world.gateway.configure("object=device", "object=device;serial=none");
    world.gateway.start();
    let token = expected("waiting", 69, Some("token-waiting"), "none of the tokens");
    all_say(&mut world, None, &token);
}

#[test]
fn promise_16_what_aws_refuses_is_told_by_every_output() {
    let mut world = managed();
    bring_online_known(&mut world);
    world.gateway.stop();
    for (code, exit_code, state) in [(0x87, 78, "attention"), (0x88, 69, "waiting")] {
        world
            .cloud
            .switches()
            .set(|switches| switches.refuse_connect = Some(code));
        world.gateway.start();
        let refused = expected(state, exit_code, Some("session-down"), "refused the connection");
        all_say(&mut world, None, &refused);
        world.gateway.stop();
    }
    world.cloud.switches().set(|switches| {
        switches.refuse_connect = None;
        switches.credentials.answer = Answer::Status(403, r#"{"message":"Access Denied"}"#.into());
    });
    world.gateway.manager().forget();
    world.gateway.start();
    let refused = expected(
        "attention",
        78,
        Some("role-alias-failing"),
        "0 of 1 role aliases valid; but AWS answered 403",
    );
    all_say(&mut world, None, &refused);
}

#[test]
fn promise_16_a_link_that_is_down_is_told_at_once() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a network of its own, because only root may have one");
    }
    let network = Network::new().unwrap();
    network.in_cloud(|| a_cable_is_pulled(&network)).unwrap();
}

fn a_cable_is_pulled(network: &Network) {
    let mut options: Options = options();
    (options.listen, options.host) = (CLOUD.parse().unwrap(), CLOUD_NAME.to_owned());
    let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options);
    network.add_default_route().unwrap();
    world.gateway.through = network.at_gateway();
    bring_online_known(&mut world);
    world.gateway.wait_for_text("network.phase", "up");
    network.set_cut(true).unwrap();
    let down = expected("waiting", 69, Some("network-down"), "no carrier on cable");
    world.gateway.wait_for_text("network.phase", "down");
    let status = world.gateway.status();
    assert_eq!(
        status["session"]["phase"], "connected",
        "nobody has noticed yet, and still: {status:#}"
    );
    assert_eq!(status["state"], down.state, "{status:#}");
    all_say(&mut world, None, &down);
    network.set_cut(false).unwrap();
    world.gateway.wait_for_text("network.phase", "up");
    world.gateway.wait_longer_online();
}
