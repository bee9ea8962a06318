//! The MQTT 5 protocol as a client speaks it, without input and output: bytes in, packets and decisions out.
//!
//! [`Framer`] cuts the stream into packets and enforces the sizes, [`decode`] reads one packet strictly, [`Client`] knows which
//! packet may come when, and [`encode`] writes what a client sends. Whatever a server sends ends in one of three ways: an
//! event, a message that is skipped with its reason, or a [`ProtocolError`] that ends the connection and names the statement
//! of the specification (OASIS MQTT 5.0). Nothing panics, loops, or grows beyond the limits that stand here.

mod client;
pub mod decode;
pub mod encode;
mod error;
mod framer;
mod limits;
mod liveness;
mod properties;
mod reason;
#[cfg(test)]
mod tests;
mod wire;

use crate::qos::Qos;
pub use client::{Client, Incoming, NotSent};
pub use error::ProtocolError;
pub use framer::{Frame, Framer};
pub use limits::ServerLimits;
pub use liveness::{LATEST_ANSWER, Liveness, Overdue};
pub use reason::{Reason, ReasonCode};

/// The server's answer to one filter of a SUBSCRIBE: the quality of service that it grants, or why it refuses.
pub type Granted = Result<Qos, ReasonCode>;

/// The largest packet we take, announced as Maximum Packet Size. AWS IoT announces the same (128 KiB of payload, and room for
/// topic and properties).
pub const MAX_PACKET: u32 = 149_504;
/// The most messages that the server may send before we acknowledge one of them, announced as Receive Maximum. AWS IoT sends no
/// more in any case (quotas, "Maximum inbound unacknowledged QoS 1 publish requests").
pub const RECEIVE_MAXIMUM: u16 = 100;
