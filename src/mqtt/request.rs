//! The CONNECT of our own client.

use std::time::Duration;

use super::packet::{Connect, Will};
use super::properties::Property;
use super::{MAX_PACKET, ProtocolVersion, RECEIVE_MAXIMUM};
use crate::messages::Message;
use crate::qos::Qos;

/// The choices of a client about its connection and session.
#[derive(Clone, Debug)]
pub struct ConnectRequest<'a> {
    /// The client ID.
    pub client_id: &'a str,
    /// Whether the server must discard an existing session.
    pub clean_start: bool,
    /// The keep-alive.
    pub keep_alive: Duration,
    /// How long the server should keep the session after a disconnect.
    pub session_expiry: Duration,
    /// The message that the server publishes if the connection is lost.
    pub will: Option<&'a Message>,
}

impl ConnectRequest<'_> {
    /// Returns the packet, of MQTT 5, with the limits that a [`Client`](super::Client) enforces.
    pub fn packet(&self) -> Connect {
        Connect {
            version: ProtocolVersion::V5,
            clean_start: self.clean_start,
            keep_alive: u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX),
            client_id: self.client_id.to_owned(),
            will: self.will.map(|message| Will {
                qos: Qos::AtLeastOnce,
                retain: message.retain,
                topic: message.topic.clone(),
                payload: message.payload.clone(),
                delay: 0,
                properties: message.properties.clone(),
            }),
            properties: vec![
                Property::SessionExpiryInterval(u32::try_from(self.session_expiry.as_secs()).unwrap_or(u32::MAX)),
                Property::ReceiveMaximum(RECEIVE_MAXIMUM),
                Property::MaximumPacketSize(MAX_PACKET),
            ],
            ..Connect::default()
        }
    }
}
