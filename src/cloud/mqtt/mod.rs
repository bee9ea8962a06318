//! One MQTT 5 connection: opened, used, closed. What happens between two of them is the session's business.
//!
//! The protocol itself is in [`crate::mqtt`].

mod connection;
mod packet_sink;
mod pipe;
#[cfg(test)]
pub mod test_sink;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

pub use connection::{Connection, Farewell};
pub use packet_sink::PacketSink;

use super::connect_errors;
use crate::config::Endpoint;
use crate::messages::{Message, Received};
pub use crate::mqtt::{Granted, NotSent, Reason, ReasonCode};
use crate::mqtt::{ProtocolError, ServerLimits};
use crate::problem::Problem;

/// AWS IoT takes at most 8 filters in one SUBSCRIBE (quotas, "Subscriptions per subscribe request").
pub const MAX_FILTERS_PER_PACKET: usize = 8;

/// For a peer that acknowledges nothing during a handshake alone.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(60);

/// TLS with `endpoint` and nothing more.
///
/// # Errors
/// With what keeps it from succeeding.
pub async fn handshake(endpoint: &Endpoint, tls: Arc<ClientConfig>) -> Result<(), Problem> {
    let pipe = pipe::Pipe::open(endpoint, tls, HANDSHAKE_PATIENCE).await;
    pipe.map(drop)
        .map_err(|error| connect_errors::problem(endpoint, &error))
}

/// What is asked of AWS in CONNECT.
#[derive(Clone, Debug)]
pub struct Options {
    /// The client ID: the thing name.
    pub client_id: String,
    /// Whether AWS shall forget the session of before.
    pub clean_start: bool,
    /// How often the connection is proven alive.
    pub keep_alive: Duration,
    /// How long the session should be kept after a disconnect.
    pub session_expiry: Duration,
    /// What AWS publishes when the connection is lost.
    pub will: Option<Message>,
}

/// What AWS granted in CONNACK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What it takes, and whether it had kept the session: if so, nothing is subscribed again.
    pub limits: ServerLimits,
    /// How long it keeps the session; CONNACK says so only where that differs from what was asked.
    pub session_expiry: Duration,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub enum ConnectError {
    /// The network, the name service or TLS: AWS has not seen a CONNECT.
    Unreachable(Problem),
    /// Lost or silent after TLS and before CONNACK, with what was seen. How AWS treats certificates that it does not know yet,
    /// that are inactive, or whose policy forbids the connection.
    LostBeforeConnack(String),
    /// The server said something that is no CONNACK, with what it was. Not how AWS treats any certificate.
    NotMqtt(String),
    /// CONNACK with a reason code of failure.
    Refused(Reason),
    /// The first packet is none that MQTT 5 allows there.
    Breach(ProtocolError),
}

/// What a connection brings.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message; at quality of service 1 it wants an acknowledgement.
    Received {
        /// By which it is acknowledged.
        packet_id: Option<u16>,
        /// The message.
        message: Received,
    },
    /// A message was skipped; at quality of service 1 it wants an acknowledgement, which will say so.
    Skipped {
        /// By which it is acknowledged.
        packet_id: Option<u16>,
        /// Where it was published.
        topic: String,
        /// Why it was not taken.
        why: String,
    },
    /// AWS answered a SUBSCRIBE, each filter by itself.
    Subscribed {
        /// Which one, as [`Connection::subscribe`] named it.
        packet_id: u16,
        /// In the order of the filters.
        granted: Vec<Granted>,
        /// AWS's words for it.
        words: Option<String>,
    },
    /// AWS answered an UNSUBSCRIBE.
    Unsubscribed {
        /// Which one, as [`Connection::unsubscribe`] named it.
        packet_id: u16,
    },
    /// AWS answered a publish: done if the code is below 0x80.
    Acknowledged {
        /// Which one, as [`Connection::publish`] named it.
        packet_id: u16,
        /// What AWS says.
        reason: Reason,
    },
    /// A message was turned away because too many bytes waited to be written: there is room again.
    Room,
}

/// Why a connection ended.
#[derive(Clone, Debug)]
pub enum Lost {
    /// DISCONNECT from AWS.
    Disconnected(Reason),
    /// The network, in one line.
    Broken(String),
    /// We have ended it, because AWS gave no sign of life.
    GivenUp(String),
    /// We have ended it, because AWS answers PINGREQ and not what it was sent before.
    Unanswered,
    /// We have ended it, because this machine's network has changed and nothing was received since.
    Stale,
    /// We have ended it, because AWS has sent what MQTT 5 forbids.
    Breach(ProtocolError),
}
