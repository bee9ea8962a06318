//! A message for a client, and the reasons why it is not sent.

use crate::messages::Properties;
use crate::qos::Qos;

/// A message for a client. Its properties and payload are unchanged from the publisher's (MQTT-3.3.2-17).
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The lower one of the message's QoS and the granted one (MQTT-3.8.4-8). 2 is sent as 1.
    pub qos: Qos,
    /// Whether the message was retained before the subscription was made, or is published as retained and the subscription has Retain As
    /// Published (MQTT-3.3.1-8, -12, -13).
    pub retain: bool,
    /// The identifiers of all matching subscriptions (MQTT-3.3.4-4).
    pub subscription_identifiers: &'a [u32],
    /// The properties. The expiry is the remaining one (MQTT-3.3.2-6).
    pub properties: &'a Properties,
    /// The payload.
    pub payload: &'a [u8],
}

/// The reason why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDelivered {
    /// The client accepts no more unacknowledged messages until it has acknowledged another one.
    WindowFull,
    /// Too many bytes wait to be written: try again once some of them are.
    BufferFull,
    /// The packet is larger than the client accepts, or than MQTT permits. The message counts as delivered (MQTT-3.1.2-25).
    TooLarge,
    /// The connection is not open.
    NotConnected,
}
