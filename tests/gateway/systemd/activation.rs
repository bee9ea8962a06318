//! The socket that systemd listens on for the daemon.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::managed;
use crate::world::{SOON, World};

/// A world in which the socket is there before the daemon.
fn activated() -> World {
    let mut world = managed();
    let socket = world.gateway.socket();
    world.gateway.manager.as_mut().unwrap().listen(&socket).unwrap();
    world
}

#[test]
fn a_program_that_asked_before_the_daemon_ran_gets_its_answer() {
    let mut world = activated();
    let socket = world.gateway.socket();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o660)).unwrap();
    let early = std::thread::spawn({
        let socket = socket.clone();
        move || rig::unix_http::get(&socket, "/v1/status").unwrap()
    });
    world.gateway.start();
    assert_eq!(early.join().unwrap().status, 200);
    world.gateway.stop();
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "file and permissions are systemd's");
    UnixStream::connect(&socket).expect("systemd still listens");
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "ready");
}

#[test]
fn what_is_no_listening_socket_is_closed_and_said() {
    let mut world = activated();
    let (one, _other) = UnixStream::pair().unwrap();
    world.gateway.manager().plant("stored", OwnedFd::from(one));
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "ready");
    assert!(
        world.gateway.log().contains("the descriptor \"stored\" is neither"),
        "{}",
        world.gateway.log()
    );
    let gone = || world.gateway.manager().kept().is_empty();
    rig::wait::until(SOON, "an empty store", gone).unwrap();
}

#[test]
fn a_second_instance_with_the_same_state_ends_with_75() {
    let mut world = activated();
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "ready");
    let second = world
        .gateway
        .manager()
        .started(&world.gateway.command())
        .unwrap()
        .output()
        .unwrap();
    assert_eq!(
        second.status.code(),
        Some(75),
        "{}",
        String::from_utf8_lossy(&second.stderr)
    );
    assert_eq!(world.gateway.get("/v1/status").status, 200);
}
