//! The options of a server, which its CONNACK announces.

use std::time::Duration;

use crate::mqtt::packet::Connect;
use crate::mqtt::properties::Property;
use crate::mqtt::{MAX_PACKET, ProtocolError, ReasonCode};
use crate::qos::Qos;

/// The options of the server for all its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// Time limit for CONNECT.
    pub connect_timeout: Duration,
    /// Maximum number of a client's QoS 1 messages that may wait for PUBACK. In MQTT 3.1.1, where this cannot be announced, no further
    /// packet is read meanwhile.
    pub receive_maximum: u16,
    /// Maximum number of messages that are sent to a client before it acknowledges one of them, whatever the client allows.
    pub send_maximum: u16,
    /// The highest topic alias that a client may use.
    pub topic_alias_maximum: u16,
    /// Whether messages may be retained.
    pub retain_available: bool,
    /// Whether subscriptions may have identifiers.
    pub subscription_identifiers_available: bool,
    /// Maximum number of seconds that a session is kept.
    pub session_expiry_maximum: u32,
}

impl Default for ServerOptions {
    /// Returns the limits of AWS IoT, as far as it has them.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            receive_maximum: 100,
            send_maximum: 100,
            topic_alias_maximum: 8,
            retain_available: true,
            subscription_identifiers_available: true,
            session_expiry_maximum: 7 * 24 * 60 * 60,
        }
    }
}

impl ServerOptions {
    /// Checks that a server with these options supports what CONNECT requests, whoever the client is.
    ///
    /// # Errors
    /// If it does not.
    pub(super) fn check(&self, connect: &Connect) -> Result<(), ProtocolError> {
        let authenticates = |property: &Property| matches!(property, Property::AuthenticationMethod(_));
        let will = connect.will.as_ref();
        let (code, statement, what) = match connect {
            _ if connect.properties.iter().any(authenticates) => (
                ReasonCode::BAD_AUTHENTICATION_METHOD,
                "MQTT-4.12.0-1",
                "CONNECT with an authentication method, and the server has none",
            ),
            _ if will.is_some_and(|will| will.qos == Qos::ExactlyOnce) => (
                ReasonCode::QOS_NOT_SUPPORTED,
                connect.version.cite("MQTT-3.2.2-12", "MQTT 3.1.1, 4.3"),
                "a will at quality of service 2, which AWS IoT does not have",
            ),
            _ if will.is_some_and(|will| will.retain) && !self.retain_available => (
                ReasonCode::RETAIN_NOT_SUPPORTED,
                connect.version.cite("MQTT-3.2.2-13", "MQTT 3.1.1, 3.1.2.7"),
                "a will that is retained, and the server retains nothing",
            ),
            _ => return Ok(()),
        };
        Err(ProtocolError::with_code(code, statement, what))
    }

    /// Adds the server's limits that differ from the specification's defaults.
    pub(super) fn announce(&self, properties: &mut Vec<Property>) {
        properties.extend([
            Property::ReceiveMaximum(self.receive_maximum.max(1)),
            Property::MaximumQos(Qos::AtLeastOnce),
            Property::MaximumPacketSize(MAX_PACKET),
            Property::TopicAliasMaximum(self.topic_alias_maximum),
            Property::SharedSubscriptionAvailable(false),
        ]);
        if !self.retain_available {
            properties.push(Property::RetainAvailable(false));
        }
        if !self.subscription_identifiers_available {
            properties.push(Property::SubscriptionIdentifierAvailable(false));
        }
    }
}
