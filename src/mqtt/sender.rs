//! The two sides of a connection.

/// The side of a connection that sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The side that sent CONNECT.
    Client,
    /// The side that answered it with CONNACK.
    Server,
}
