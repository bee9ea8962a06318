//! The watchdog is notified only while every thread makes progress.

use std::time::Duration;

use rig::manager::Manager;
use rig::thread_stopper::ThreadStopper;
use rig::token::{SlowSigner, SoftHsm};
use rig::wait;

use super::has;
use crate::registry::{bring_online_registered, start_registered};
use crate::relay::Relay;
use crate::support::{Gateway, PIN, SOON, World, options};

/// Short, so that a test sees several notifications; long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(4);

/// Starts the daemon by a service manager with a watchdog.
fn watch(world: &mut World) {
    let mut manager = Manager::new().unwrap();
    manager.watchdog = Some(LIMIT);
    world.gateway.manager = Some(manager);
}

fn notifications(gateway: &Gateway) -> usize {
    gateway.manager().count("WATCHDOG=1")
}

/// Waits for `more` notifications, counted from now.
fn wait_for_notifications(gateway: &Gateway, more: usize) {
    let before = notifications(gateway);
    wait::until(SOON, "notifications of the watchdog", || {
        notifications(gateway) >= before + more
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", gateway.log()));
}

/// Waits until systemd would have ended the daemon: no notification within the limit, although the daemon has had the time to log `words`.
fn wait_until_starved(gateway: &Gateway, words: &str) {
    let mut last = (notifications(gateway), std::time::Instant::now());
    let starved = || {
        let now = notifications(gateway);
        if now != last.0 {
            last = (now, std::time::Instant::now());
        }
        last.1.elapsed() > LIMIT && gateway.log().contains(words)
    };
    wait::until(2 * SOON, "a starving watchdog", starved).unwrap();
}

/// Stops a thread of the daemon and waits until systemd would end it, and the log contains `words`.
fn starves_without(thread: &str, words: &str) -> World {
    let mut world = World::new();
    watch(&mut world);
    let stopper = ThreadStopper::new().unwrap();
    world.gateway.env.extend(stopper.env());
    bring_online_registered(&mut world);
    wait_for_notifications(&world.gateway, 2);
    stopper.stop(SOON, thread).unwrap();
    wait_until_starved(&world.gateway, words);
    world
}

#[test]
fn the_watchdog_starves_when_the_local_thread_stops() {
    starves_without("gatepostd", "");
}

#[test]
fn the_watchdog_starves_when_the_cloud_thread_stops_and_programs_are_served_meanwhile() {
    let world = starves_without("cloud", "from the thread cloud");
    assert_eq!(world.gateway.credentials().status, 200);
}

#[test]
fn an_outage_of_aws_does_not_starve_the_watchdog() {
    let mut world = World::new();
    watch(&mut world);
    let relay = Relay::to(&world.cloud.mqtt_endpoint());
    world.gateway.configure(&world.cloud.mqtt_endpoint(), &relay.endpoint());
    let credentials = Relay::to(&world.cloud.credentials_endpoint());
    world
        .gateway
        .configure(&world.cloud.credentials_endpoint(), &credentials.endpoint());
    for relay in [&relay, &credentials] {
        relay.set_silent(true);
    }
    start_registered(&mut world);
    world.gateway.wait_for_text("session.phase", "connecting");
    wait_for_notifications(&world.gateway, 4);
    assert_eq!(world.gateway.manager().count("READY=1"), 1);
}

#[test]
fn a_slow_token_does_not_starve_the_watchdog() {
    // Each signature takes longer than the watchdog's limit, but less than the limit for a signature.
    let token = SlowSigner::new(SoftHsm::new("gateway", PIN).unwrap(), LIMIT + Duration::from_secs(2)).unwrap();
    let mut world = World::with(Box::new(token), options());
    watch(&mut world);
    world.gateway.start();
    world.gateway.manager().wait_for(SOON, has("WATCHDOG=1")).unwrap();
    world.certify();
    world
        .gateway
        .wait_longer_for(3 * SOON, "state", |state| state == "ready");
    assert!(
        !world.gateway.log().contains("watchdog: no heartbeat"),
        "{}",
        world.gateway.log()
    );
}

#[test]
fn the_watchdog_starves_when_a_signature_never_returns() {
    let token = SlowSigner::new(SoftHsm::new("gateway", PIN).unwrap(), Duration::from_secs(3600)).unwrap();
    let mut world = World::with(Box::new(token), options());
    watch(&mut world);
    world.gateway.start();
    world.gateway.manager().wait_for(SOON, has("WATCHDOG=1")).unwrap();
    wait_until_starved(&world.gateway, "from the thread token");
    assert_eq!(world.gateway.get("/v1/status").status, 200);
    world.gateway.kill();
}
