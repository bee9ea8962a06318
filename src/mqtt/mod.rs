//! The MQTT protocol, without input and output: from bytes to packets and decisions.
//!
//! [`Framer`] splits the stream into packets and enforces the sizes, [`decode()`] decodes one packet strictly, [`encode()`] encodes one.
//! One codec serves both sides of a connection and both versions. [`Client`] and [`Server`] check which packets are permitted when.
//! Whatever the other side sends results in one of three things: an event, a message that is skipped with a reason, or a [`ProtocolError`]
//! that ends the connection and names the statement of the specification (OASIS MQTT 5.0 and 3.1.1). Nothing panics, loops, or grows beyond
//! the limits in [`bounds`].

pub mod bounds;
mod client;
mod codes;
mod decode;
pub mod encode;
mod error;
mod framer;
mod limits;
mod liveness;
mod names;
pub mod packet;
mod password;
mod properties;
mod reason;
mod request;
mod sender;
mod server;
mod subscriptions;
#[cfg(test)]
mod tests;
mod version;
mod wire;

pub use bounds::{MAX_FILTERS, MAX_PACKET, MAX_USER_PROPERTIES, RECEIVE_MAXIMUM};
pub use client::{Client, Incoming, NotSent};
pub use decode::decode;
pub use encode::encode;
pub use error::ProtocolError;
pub use framer::{Frame, Framer};
pub use limits::ServerLimits;
pub use liveness::{LATEST_ANSWER, Liveness, Overdue};
pub use packet::Packet;
pub use password::Password;
pub use properties::Property;
pub use reason::{Granted, Reason, ReasonCode};
pub use request::ConnectRequest;
pub use sender::Sender;
pub use server::{
    Acceptance, Action, Close, CloseCause, Delivery, DueWill, MAX_OUTPUT, MAX_REQUESTS, MAX_UNANSWERED, NotDelivered,
    SESSION_NEVER_EXPIRES, Server, ServerOptions,
};
pub use subscriptions::{Match, Subscriptions};
pub use version::ProtocolVersion;
