//! One MQTT 5 connection to AWS, from CONNECT to DISCONNECT. The session decides when to open and replace connections.
//!
//! The codec and the protocol rules are in [`crate::mqtt`]; this module adds TCP, TLS and timers.

mod connect;
mod connection;
mod event;
mod packet_sink;
mod pipe;
#[cfg(test)]
pub mod test_sink;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

pub use connect::{ConnectError, ConnectOptions, Terms};
pub use connection::Connection;
pub use event::{Event, Farewell, Lost};
pub use packet_sink::PacketSink;

use super::connect_errors::{self, Server};
use super::connector::Connector;
use crate::config::Endpoint;
pub use crate::mqtt::{Granted, NotSent, Reason, ReasonCode};
use crate::problem::Problem;

/// Most filters that AWS IoT takes in one SUBSCRIBE (quotas, "Subscriptions per subscribe request").
pub const MAX_FILTERS_PER_PACKET: usize = 8;

/// TCP user timeout of a connection that is used for a handshake only.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// Performs a TLS handshake with `endpoint`, and closes the connection.
///
/// # Errors
/// With the problem that prevented the handshake.
pub async fn handshake(connector: &Connector, endpoint: &Endpoint, tls: Arc<ClientConfig>) -> Result<(), Problem> {
    let pipe = pipe::Pipe::open(connector, endpoint, tls, HANDSHAKE_TIMEOUT).await;
    pipe.map(drop)
        .map_err(|error| connect_errors::problem(Server::Aws, endpoint, &error))
}
