//! A network that loses everything in one direction, while a program publishes.

use std::time::Duration;

use rig::network::{End, Network};
use rig::user;
use rig::{unix_http, wait};

use super::stage::Stage;
use crate::support::{SOON, THING};

/// Time between two messages of the program. A gateway that counted its unanswered messages would need 32 of them, the maximum in flight of
/// a topic, before it noticed.
const PERIOD: Duration = Duration::from_secs(3);
/// One and a half times the shortest keep-alive is 45 s; the rest is for a slow machine. 32 periods would take longer.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn promise_8_a_half_open_network_is_noticed_though_a_program_publishes() {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a half-open network, because only root may have one of its own");
    }
    let network = Network::new().unwrap();
    network.in_cloud(|| a_program_publishes_into(&network)).unwrap();
}

fn a_program_publishes_into(network: &Network) {
    let mut stage = Stage::new(Some(network));
    stage
        .world
        .gateway
        .configure("publish-rate = 10000", "keep-alive = \"30s\"");
    stage.bring_online();
    let gateway = &stage.world.gateway;
    for end in [End::Cloud, End::Gateway] {
        network.lose_all_from(end).unwrap();
        let publish = || {
            let request = format!(
                "POST /topics/{THING}/other HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx"
            );
            unix_http::request_raw(&gateway.socket(), request.as_bytes()).unwrap();
            std::thread::sleep(PERIOD);
            gateway.status()["session"]["phase"] != "connected"
        };
        wait::until(PATIENCE, "the end of the connection", publish).unwrap();
        network.restore().unwrap();
        // Messages in flight belong to the old connection; the next attempt may be some seconds away.
        gateway.wait_longer_for(3 * SOON, "session.phase", |phase| phase == "connected");
        gateway.wait_longer_for(3 * SOON, "messages.queued", |queued| queued == 0);
    }
}
