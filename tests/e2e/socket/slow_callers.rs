//! Callers that send or read nothing, and a daemon without free descriptors.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rig::unix_http;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::World;

use super::crowd::crowd;

#[test]
fn a_slow_loris_is_disconnected_and_delays_nobody() {
    let mut world = World::new();
    world.bring_online();
    let socket = world.gateway.socket();
    let lorises: Vec<_> = (0..20)
        .map(|_| {
            let stream = unix_http::connect(&socket).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            thread::spawn(move || bytes_until_ended(stream))
        })
        .collect();
    while lorises.iter().any(|loris| !loris.is_finished()) {
        assert_eq!(world.gateway.credentials().status, 200);
        thread::sleep(Duration::from_millis(100));
    }
    for loris in lorises {
        assert!(loris.join().unwrap() > 1, "it was given a while");
    }
    world.gateway.stop();
}

/// Sends a request head at one byte per second; returns how many bytes were accepted.
fn bytes_until_ended(mut stream: UnixStream) -> usize {
    let head = b"GET /v1/credentials HTTP/1.1\r\nX: "
        .iter()
        .chain(std::iter::repeat(&b'x'));
    for (sent, byte) in head.enumerate() {
        if stream.write_all(&[*byte]).is_err() {
            return sent;
        }
        match stream.read(&mut [0; 64]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => return sent,
        }
        assert!(sent < 300, "nobody ends it");
    }
    unreachable!("the head is endless")
}

#[test]
fn the_daemon_survives_without_free_descriptors() {
    let mut world = World::new();
    world.bring_online();
    let pid = i32::try_from(world.gateway.process().pid())
        .ok()
        .and_then(Pid::from_raw);
    // More than an idle daemon holds, less than that and one user's connections.
    let few = Rlimit {
        current: Some(60),
        maximum: Some(60),
    };
    prlimit(pid, Resource::Nofile, few).unwrap();
    for round in 0..2 {
        let held = crowd(&world.gateway.socket(), 64);
        // The journal does not have the same problem again at once.
        if round == 0 {
            world.gateway.wait_for_log("no connection is accepted at socket");
        }
        drop(held);
        assert_eq!(world.gateway.credentials().status, 200);
    }
    world.gateway.stop();
}
