//! The meaning of a server's packets.

use crate::messages::Received;
use crate::mqtt::{Granted, Reason};

/// The meaning of a packet from the server.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// A message. If it has a packet identifier, it must be acknowledged.
    Message(Option<u16>, Received),
    /// A message that was skipped, with its topic and the reason. If it has a packet identifier, it must be acknowledged with a failure.
    Skipped(Option<u16>, String, String),
    /// A message was answered.
    Acknowledged(u16, Reason),
    /// A SUBSCRIBE was answered: the result for each filter, and the server's reason string.
    Subscribed(u16, Vec<Granted>, Option<String>),
    /// An UNSUBSCRIBE was answered.
    Unsubscribed(u16),
    /// PINGRESP.
    Pong,
    /// The server has ended the connection.
    Disconnected(Reason),
    /// A packet that needs no reaction.
    Nothing,
}
