//! A message to one client, past the broker: it need not have subscribed (developer guide, direct-messaging and jobs-mqtt-api).

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
    /// Gets what becomes of the message. If the connection ends first, it is dropped.
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
