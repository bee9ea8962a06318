//! Programs that speak MQTT, to which gatepost looks like the endpoint of AWS IoT Core.

mod bounds;
mod clients;
mod crowds;
mod descriptors;
mod hostile;
pub mod packets;
mod protocol_errors;
mod refusals;
mod restarts;
mod sessions;
mod wills;

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::messages::configure;
use crate::registry::bring_online_registered;
use crate::support::{Gateway, World};

/// The administrator's secret for this user's rule.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef-secret";

/// Returns the path of the Unix socket.
pub fn socket(gateway: &Gateway) -> PathBuf {
    gateway.folder.path().join("run/mqtt.sock")
}

/// Switches both listeners on. This user's rule has a secret of the administrator's, which is the password on TCP.
pub fn switch_on(world: &mut World) -> SocketAddr {
    let address = SocketAddr::from(([127, 0, 0, 1], rig::port::free_pair().unwrap()));
    let secret = world.gateway.folder.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    configure(world);
    let with_secret = format!("role-aliases = [\"*\"]\ntoken-file = \"{}\"", secret.display());
    world.gateway.configure("role-aliases = [\"*\"]", &with_secret);
    world
        .gateway
        .config
        .push_str(&format!("\n[local-mqtt]\nsocket = true\nlisten = \"{address}\"\n"));
    address
}

/// Creates a world with both listeners, online.
pub fn world() -> (World, SocketAddr) {
    let mut world = World::new();
    let address = switch_on(&mut world);
    bring_online_registered(&mut world);
    world.gateway.wait_for_log(&format!("listens at {address}"));
    world.gateway.wait_for_log("mqtt.sock");
    (world, address)
}
