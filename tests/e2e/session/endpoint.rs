//! Port 443, where AWS distinguishes MQTT from HTTPS by ALPN.

use cloudlet::{Cloudlet, Event, Options};
use rig::token::SoftHsm;

use crate::registry::bring_online_registered;
use crate::support::{PIN, SOON, World, options};

/// The unit test `alpn_follows_the_port_unless_it_is_configured` has the other combinations of port and setting.
#[test]
fn port_443_uses_alpn() {
    let on_443 = Options {
        mqtt_port: 443,
        ..options()
    };
    if let Err(error) = Cloudlet::start(on_443.clone()) {
        panic!(
            "this test needs 127.0.0.1:443: run it as root, or allow everybody that port by \
             `sysctl net.ipv4.ip_unprivileged_port_start=443`: {error}"
        );
    }
    let token = SoftHsm::new("gateway", PIN).unwrap();
    let mut world = World::with(Box::new(token), on_443);
    bring_online_registered(&mut world);
    assert_eq!(world.gateway.status()["session"]["endpoint"], "localhost:443");
    // A domain configuration of SECURE_MQTT needs no ALPN; this endpoint does.
    world.gateway.stop();
    world.gateway.configure("[token]", "mqtt-alpn = \"none\"\n[token]");
    world.gateway.start();
    world.cloud.wait_for(SOON, is_without_alpn).unwrap();
}

fn is_without_alpn(event: &Event) -> bool {
    matches!(event, Event::TlsRefused { reason, .. } if reason == "no ALPN x-amzn-mqtt-ca")
}
