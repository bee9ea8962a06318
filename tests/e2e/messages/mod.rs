//! Messages of local programs: published through the outbox, received through subscriptions.

mod bounds;
mod broken;
mod command;
mod direct;
mod durable;
mod health;
mod held;
mod innocent;
mod inspect;
mod lost_answers;
mod publish;
mod refusals;
mod subscribe;
mod unanswered;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use cloudlet::Event;
use rig::unix_http::{self, Response};
use serde_json::Value;

use crate::registry::bring_online_registered;
use crate::relay::Relay;
use crate::support::{Gateway, SOON, THING, World};

/// Creates a world, online, in which this user may publish and subscribe to everything.
fn world() -> World {
    let mut world = World::new();
    configure(&mut world);
    bring_online_registered(&mut world);
    world
}

/// Creates the same with a relay between the gateway and AWS that can be interrupted.
fn world_behind_a_relay() -> (World, Relay) {
    let mut world = World::new();
    configure(&mut world);
    let network = Relay::to(&world.cloud.mqtt_endpoint());
    world
        .gateway
        .configure(&world.cloud.mqtt_endpoint(), &network.endpoint());
    bring_online_registered(&mut world);
    (world, network)
}

pub fn configure(world: &mut World) {
    world.gateway.configure(
        "role-aliases = [\"*\"]",
        "role-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\", \"$aws/things/{thing}/#\"]",
    );
}

/// Disconnects the gateway from AWS; other clients stay connected.
pub fn take_offline(world: &World) {
    world
        .cloud
        .switches()
        .set(|switches| switches.refuse_connect = Some(0x88));
    world.cloud.disconnect(THING);
    world.gateway.wait_for("session.phase", |phase| phase != "connected");
}

/// Lets the gateway connect again, which it does after its backoff.
fn back_online(world: &World) {
    world.cloud.switches().set(|switches| switches.refuse_connect = None);
    world
        .gateway
        .wait_longer_for(5 * SOON, "session.phase", |phase| phase == "connected");
}

/// Waits until the gateway has subscribed to `filter` at AWS.
pub fn subscribed(world: &World, filter: &str) {
    let asked = |event: &Event| matches!(event, Event::Decided { decision, .. } if decision.action == "iot:Subscribe" && decision.resource.ends_with(filter));
    world.cloud.wait_for(SOON, asked).unwrap();
}

/// Posts to `target` (`gw-1/a?qos=1`, percent-encoded where necessary) with further header lines.
fn post(gateway: &Gateway, target: &str, headers: &str, body: &[u8]) -> Response {
    request(gateway, "POST", target, headers, body)
}

fn request(gateway: &Gateway, method: &str, target: &str, headers: &str, body: &[u8]) -> Response {
    let length = body.len();
    let mut bytes = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    unix_http::request_raw(&gateway.socket(), &bytes).unwrap()
}

/// Publishes and asserts that the message is accepted.
fn publish(gateway: &Gateway, target: &str, payload: &str) {
    let answer = post(gateway, &format!("/topics/{target}"), "", payload.as_bytes());
    assert_eq!(answer.status, 200, "{:?}", answer.json());
}

/// A subscription of a local program.
pub struct Subscription {
    reader: BufReader<UnixStream>,
}

impl Subscription {
    /// Gets /topics/`target`; the response must be a stream.
    pub fn open(gateway: &Gateway, target: &str) -> Self {
        Self::try_open(gateway, target).unwrap_or_else(|head| panic!("{head}"))
    }

    /// Does the same; the error is the head of another response.
    fn try_open(gateway: &Gateway, target: &str) -> Result<Self, String> {
        let mut stream = unix_http::connect(&gateway.socket()).unwrap();
        stream
            .write_all(format!("GET /topics/{target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
            .unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        assert!(head.contains("application/x-ndjson"), "{head}");
        Ok(Self { reader })
    }

    /// Returns the next line; `None` at the end of the stream.
    fn next(&mut self) -> Option<Value> {
        let mut size = String::new();
        self.reader.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        (size > 0).then(|| serde_json::from_slice(&chunk[..size]).unwrap())
    }

    /// Reads until this payload arrives. Messages that AWS had no acknowledgement for are repeated.
    fn expect(&mut self, payload: &str) {
        while self.payload() != payload {}
    }

    /// Returns the next line's payload.
    fn payload(&mut self) -> String {
        let line = self.next().expect("the stream has ended");
        line["payload"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned()
    }
}
