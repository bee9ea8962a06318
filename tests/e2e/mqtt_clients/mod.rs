//! Unmodified programs with published MQTT libraries (tests/mqtt_clients), connected to gatepost.

pub mod bridge;
mod libraries;
mod node_red;
pub mod program;
mod sdk;

use std::net::SocketAddr;

use crate::mqtt_listener::{SECRET, socket};
use crate::support::World;

/// The way in which a program connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Tcp,
    Unix,
}

/// Returns the first arguments of every program: address and password.
fn address_and_password(world: &World, address: SocketAddr, transport: Transport) -> [String; 2] {
    match transport {
        Transport::Tcp => [address.to_string(), SECRET.to_owned()],
        Transport::Unix => [socket(&world.gateway).display().to_string(), "unused".to_owned()],
    }
}
