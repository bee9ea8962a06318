//! A restarted daemon continues where it was, however it ended.

use std::fs;

use cloudlet::switches::FirstContact;
use rig::process::Signal;
use rig::unix_http;

use crate::clock::UnpluggedToken;
use crate::cloud_view::{chains, mark, session_present};
use crate::support::{SOON, THING, World};

/// Ends the daemon and starts it again.
fn restart(world: &mut World, signal: Signal) {
    world.gateway.process().signal(signal).unwrap();
    world.gateway.process().wait(SOON).unwrap();
    world.gateway.start();
}

#[test]
fn promise_2_a_restart_continues_in_every_state() {
    let mut world = World::new();
    world
        .cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Never);
    world
        .gateway
        .configure("role-aliases = [\"*\"]", "role-aliases = [\"*\"]\npublish = [\"#\"]");
    let token = UnpluggedToken::new(&*world.token);
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "waiting");
    for signal in [Signal::KILL, Signal::TERM] {
        restart(&mut world, signal);
        world.gateway.wait_for_text("token.phase", "waiting");
        world.gateway.wait_for_text("provisioning.phase", "no-key");
    }

    token.plug_in();
    let csr = world.gateway.wait_for_csr();
    let request = fs::read(&csr).unwrap();
    for signal in [Signal::KILL, Signal::TERM] {
        restart(&mut world, signal);
        world.gateway.wait_for_csr();
        world.gateway.wait_for_text("provisioning.phase", "no-certificate");
        assert_eq!(fs::read(&csr).unwrap(), request, "the same request for the same key");
    }

    world.certify();
    world.gateway.wait_for_text("provisioning.phase", "pending");
    for (signal, attempts) in [(Signal::KILL, 2), (Signal::TERM, 3)] {
        restart(&mut world, signal);
        world.gateway.wait_for("provisioning.attempts", |made| made == attempts);
        assert_eq!(world.gateway.status()["provisioning"]["phase"], "pending");
    }
    assert_eq!(
        chains(&world.cloud, 0),
        [2, 2, 2],
        "AWS may still need the CA to find the template"
    );

    world
        .cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Drop);
    world.gateway.wait_online();
    wait_until_noted(&world);
    for signal in [Signal::KILL, Signal::TERM] {
        let before = mark(&world.cloud);
        restart(&mut world, signal);
        assert!(session_present(&world.cloud, before), "after {signal:?}");
        world.gateway.wait_online();
        assert_eq!(world.gateway.status()["provisioning"]["phase"], "provisioned");
        assert_eq!(chains(&world.cloud, before), [1]);
    }
}

/// Waits until the disk contains the fact that AWS has a session; a daemon that is killed before would begin a new one. Messages that the
/// session sends are read from the disk after that was written.
fn wait_until_noted(world: &World) {
    let question =
        format!("POST /topics/{THING}/noted?wait=ack HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    let answer = unix_http::request_raw(&world.gateway.socket(), question.as_bytes()).unwrap();
    assert_eq!(answer.status, 200);
}
