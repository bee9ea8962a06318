//! The socket that systemd listens on for the daemon.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rig::process::Signal;

use super::{has, managed};
use crate::support::{SOON, World};

/// Creates a world in which the socket exists before the daemon.
fn activated() -> World {
    let mut world = managed();
    let socket = world.gateway.socket();
    world.gateway.manager.as_mut().unwrap().listen(&socket).unwrap();
    world
}

#[test]
fn a_request_from_before_the_start_is_answered() {
    let mut world = activated();
    let socket = world.gateway.socket();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o660)).unwrap();
    let early = thread::spawn({
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
fn other_descriptors_than_listening_sockets_are_closed_and_logged() {
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

#[test]
fn no_request_fails_while_the_daemon_is_restarted_again_and_again() {
    let mut world = activated();
    let socket = world.gateway.socket();
    world.gateway.start();
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (socket, over) = (socket.clone(), over.clone());
            thread::spawn(move || {
                let mut answers = 0;
                while !over.load(Ordering::Relaxed) {
                    let answer = rig::unix_http::get(&socket, "/v1/status");
                    assert_eq!(
                        answer.map_err(|error| format!("{error:#}")).map(|it| it.status),
                        Ok(200)
                    );
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for _ in 0..10 {
        world.gateway.wait_for_text("token.phase", "ready");
        world.gateway.stop();
        world.gateway.start();
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.join().unwrap() > 10);
    }
}

#[test]
fn a_request_in_progress_is_answered_before_the_end() {
    let mut world = activated();
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "ready");
    let mut caller = UnixStream::connect(world.gateway.socket()).unwrap();
    caller.write_all(b"GET /v1/status HTTP/1.1\r\nHost: local").unwrap();
    // A later connection was answered, so this one has been accepted.
    assert_eq!(world.gateway.get("/v1/status").status, 200);
    world.gateway.process().signal(Signal::TERM).unwrap();
    world.gateway.manager().wait_for(SOON, has("STOPPING=1")).unwrap();
    caller.write_all(b"host\r\n\r\n").unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
    assert!(world.gateway.process().wait(SOON).unwrap().success());
}
