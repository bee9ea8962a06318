//! The daemon under systemd: notifications, socket activation, stored descriptors. The test takes the place of systemd.

mod activation;
mod handover;
mod loopback;
mod notify;
mod watchdog;

use rig::manager::Manager;

use crate::support::World;

/// Creates a world whose daemon is started by a service manager.
pub fn managed() -> World {
    let mut world = World::new();
    world.gateway.manager = Some(Manager::new().unwrap());
    world
}

/// Returns a predicate for notifications that contain this line.
fn has(line: &str) -> impl Fn(&str) -> bool {
    move |message| message.lines().any(|said| said == line)
}
