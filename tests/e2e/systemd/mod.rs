//! What systemd hears from the daemon, and what it does for it; the test is systemd.

mod activation;
mod handover;
mod loopback;
mod notify;
mod watchdog;

use rig::manager::Manager;

use crate::support::World;

/// A world whose daemon is started by a service manager.
pub fn managed() -> World {
    let mut world = World::new();
    world.gateway.manager = Some(Manager::new().unwrap());
    world
}

/// Whether a notification has this line.
fn has(line: &str) -> impl Fn(&str) -> bool {
    move |message| message.lines().any(|said| said == line)
}
