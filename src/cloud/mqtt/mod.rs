//! One MQTT 5 connection: opened, used, closed. What happens between two of them is the session's business.
//!
//! The client crate is known to [`connection`] alone (docs/decisions/0003-mqtt-client.md).

mod connection;
mod packets;
mod pipe;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

pub use connection::Connection;

use super::reach;
use crate::config::Endpoint;
use crate::messages::{Message, Received};
use crate::problem::Problem;

/// AWS IoT takes at most 8 filters in one SUBSCRIBE (quotas, "Subscriptions per subscribe request").
pub const MAX_FILTERS_PER_PACKET: usize = 8;

/// TLS with `endpoint` and nothing more.
///
/// # Errors
/// With what keeps it from succeeding.
pub async fn handshake(endpoint: &Endpoint, tls: Arc<ClientConfig>) -> Result<(), Problem> {
    let pipe = pipe::Pipe::open(endpoint, tls).await;
    pipe.map(drop).map_err(|error| reach::problem(endpoint, &error))
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
pub struct Granted {
    /// Whether it had kept the session: if so, nothing is subscribed again.
    pub session_present: bool,
    /// How long it keeps the session; CONNACK says so only where that differs from what was asked.
    pub session_expiry: Duration,
    /// How many messages at quality of service 1 it takes before it has acknowledged the first of them.
    pub receive_maximum: u16,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub enum ConnectError {
    /// The network, the name service or TLS: AWS has not seen a CONNECT.
    Unreachable(Problem),
    /// Lost or silent after TLS and before CONNACK, with what was seen. How AWS treats certificates that it does not know yet,
    /// that are inactive, or whose policy forbids the connection.
    LostBeforeConnack(String),
    /// CONNACK with a reason code of failure.
    Refused(Reason),
}

/// A reason code of MQTT 5 and the server's words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: u8,
    /// The reason string, where the server sent one.
    pub words: Option<String>,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // MQTT 5.0, 2.4: those that AWS IoT sends (developer guide, "MQTT 5 reason codes").
        let name = match self.code {
            0x80 => "unspecified error",
            0x81 => "malformed packet",
            0x82 => "protocol error",
            0x85 => "client ID not valid",
            0x86 => "bad user name or password",
            0x87 => "not authorized",
            0x88 => "server unavailable",
            0x89 => "server busy",
            0x8b => "server shutting down",
            0x8d => "keep-alive timeout",
            0x8e => "session taken over",
            0x8f => "topic filter invalid",
            0x90 => "topic name invalid",
            0x93 => "receive maximum exceeded",
            0x94 => "topic alias invalid",
            0x95 => "packet too large",
            0x97 => "quota exceeded",
            0x98 => "administrative action",
            0x9b => "quality of service not supported",
            0x9f => "connection rate exceeded",
            0xa1 => "subscription identifiers not supported",
            _ => "reason",
        };
        write!(f, "{name} (0x{:02x})", self.code)?;
        match &self.words {
            Some(words) => write!(f, ": {words}"),
            None => Ok(()),
        }
    }
}

/// Why a packet was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// Too much is under way.
    Busy,
    /// It never will be, and why.
    Never(String),
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
    /// AWS answered a SUBSCRIBE, each filter by a code of its own: below 0x80 is granted.
    Subscribed {
        /// Which one, as [`Connection::subscribe`] named it.
        packet_id: u16,
        /// In the order of the filters.
        codes: Vec<u8>,
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
    /// A message that AWS does not acknowledge may be sent again: there is room for it.
    Room,
}

/// Why a connection ended.
#[derive(Clone, Debug)]
pub enum Lost {
    /// DISCONNECT from AWS.
    Disconnected(Reason),
    /// The network, in one line.
    Broken(String),
    /// We have ended it, because AWS did not keep to the protocol or gave no sign of life.
    GivenUp(String),
}
