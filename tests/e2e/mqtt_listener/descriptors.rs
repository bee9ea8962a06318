//! Descriptors that are lacking: connections wait, and the status says why.

use std::fs;
use std::os::unix::net::UnixStream;

use rig::unix_http::KeptConnection;
use rig::wait;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use super::packets::{Client, V5};
use super::{socket, world};
use crate::support::SOON;

/// A request on a connection that stays open.
const STATUS: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn promise_6_connections_wait_while_descriptors_are_lacking_and_the_status_says_why() {
    let (mut world, _) = world();
    // It is open before, so it has answers meanwhile.
    let mut open = KeptConnection::open(&world.gateway.socket()).unwrap();
    let mut status = || -> Value { open.ask(STATUS).unwrap().json().unwrap() };
    assert_eq!(status()["connections"]["phase"], "accepting");
    let process = world.gateway.process().pid();
    let pid = Pid::from_raw(process.try_into().unwrap());
    let limit = |most: Option<u64>| {
        let known = getrlimit(Resource::Nofile);
        let current = most.or(known.current);
        prlimit(pid, Resource::Nofile, Rlimit { current, ..known }).unwrap();
    };
    let is_open = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    limit(Some(u64::try_from(is_open).unwrap()));
    let mut clients = Vec::new();
    let mut failing = Value::Null;
    wait::until(SOON, "connections to wait", || {
        clients.push(UnixStream::connect(socket(&world.gateway)).unwrap());
        failing = status();
        failing["connections"]["phase"] == "failing"
    })
    .unwrap();
    let problem = &failing["connections"]["problem"];
    assert!(
        problem["next_step"].as_str().unwrap().contains("LimitNOFILE="),
        "{problem:#}"
    );
    let ids: Vec<_> = failing["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["id"])
        .collect();
    assert!(ids.contains(&&Value::from("connections-not-accepted")), "{ids:?}");
    assert_eq!(
        (&failing["exit_code"], &failing["working"]),
        (&78.into(), &false.into())
    );

    limit(None);
    wait::until(SOON, "connections to be accepted", || {
        status()["connections"]["phase"] == "accepting"
    })
    .unwrap();
    assert!(world.gateway.log().contains("connections: accepting"));
    Client::connected(&world.gateway, V5, "after");
}
