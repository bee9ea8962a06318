//! A message to one client that bypasses the broker, so that the client need not have subscribed (developer guide, direct-messaging and
//! jobs-mqtt-api).

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::mqtt::{Properties, QoS};

/// A message to one client.
#[derive(Debug)]
pub(crate) struct DirectMessage {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) properties: Properties,
    /// Receives the outcome. It is dropped if the connection ends first.
    pub(crate) outcome: Option<oneshot::Sender<DirectOutcome>>,
}

/// The outcome of a message to one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectOutcome {
    /// No policy allows iot:Receive.
    Forbidden,
    /// It was sent at QoS 0.
    Sent,
    /// The client has answered with this reason code.
    Acknowledged(u8),
}
