//! Reads the properties of CONNACK: the server's capabilities and limits.

use std::time::Duration;

use super::packet::Connack;
use super::properties::{Property, reason_string};
use super::{MAX_PACKET, ProtocolError, Reason};
use crate::qos::Qos;

/// The values of a successful CONNACK, with the defaults of the specification for missing ones (MQTT 5.0, 3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Whether the server has kept the session.
    pub session_present: bool,
    /// How long it keeps the session, if that differs from the requested time.
    pub session_expiry: Option<Duration>,
    /// Maximum number of QoS 1 messages that may wait for their PUBACK.
    pub receive_maximum: u16,
    /// Maximum size of a packet that it accepts.
    pub maximum_packet_size: u32,
    /// Highest QoS at which it accepts messages.
    pub maximum_qos: Qos,
    /// Whether it stores retained messages.
    pub retain_available: bool,
    /// Whether it accepts filters with `+` and `#`.
    pub wildcards_available: bool,
    /// Whether it accepts filters that begin with `$share/`.
    pub shared_available: bool,
    /// The keep-alive that it requires instead of ours.
    pub keep_alive: Option<Duration>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            session_present: false,
            session_expiry: None,
            receive_maximum: u16::MAX,
            // Without this property the protocol's own maximum would apply. AWS always sends it, and no server accepts 256 MiB.
            maximum_packet_size: MAX_PACKET,
            maximum_qos: Qos::ExactlyOnce,
            retain_available: true,
            wildcards_available: true,
            shared_available: true,
            keep_alive: None,
        }
    }
}

impl ServerLimits {
    /// Reads a CONNACK for `client_id`: the limits, or the reason of the refusal.
    ///
    /// # Errors
    /// If a property has a value that no server may send.
    pub fn read(connack: &Connack, client_id: &str) -> Result<Result<Self, Reason>, ProtocolError> {
        if connack.code.is_failure() {
            return Ok(Err(Reason {
                code: connack.code,
                words: reason_string(&connack.properties),
            }));
        }
        let mut limits = Self {
            session_present: connack.session_present,
            ..Self::default()
        };
        for property in &connack.properties {
            match property {
                Property::SessionExpiryInterval(seconds) => {
                    limits.session_expiry = Some(Duration::from_secs((*seconds).into()));
                }
                Property::ReceiveMaximum(most) => limits.receive_maximum = *most,
                Property::MaximumPacketSize(bytes) => limits.maximum_packet_size = *bytes,
                Property::MaximumQos(qos) => limits.maximum_qos = *qos,
                Property::RetainAvailable(available) => limits.retain_available = *available,
                Property::WildcardSubscriptionAvailable(available) => limits.wildcards_available = *available,
                Property::SharedSubscriptionAvailable(available) => limits.shared_available = *available,
                // 0 turns off the server's own supervision; ours continues.
                Property::ServerKeepAlive(seconds) => {
                    limits.keep_alive = (*seconds > 0).then(|| Duration::from_secs((*seconds).into()));
                }
                Property::AssignedClientIdentifier(assigned) if assigned != client_id => {
                    return Err(ProtocolError::forbidden(
                        "MQTT 5.0, 3.2.2.3.7",
                        "another client identifier than the one it was given",
                    ));
                }
                Property::AuthenticationMethod(_) | Property::AuthenticationData(_) => {
                    return Err(ProtocolError::forbidden(
                        "MQTT-4.12.0-6",
                        "authentication data that nobody asked for",
                    ));
                }
                // Topic aliases, subscription identifiers and response information are not used here.
                _ => {}
            }
        }
        Ok(Ok(limits))
    }

    /// Returns the reason why the server would refuse a topic filter, according to its limits.
    pub fn filter_refusal(&self, filter: &str) -> Option<&'static str> {
        let is_shared = filter.starts_with("$share/");
        let is_wild = filter.contains(['+', '#']);
        match (is_shared, is_wild) {
            (true, _) if !self.shared_available => Some("the broker has no shared subscriptions"),
            (_, true) if !self.wildcards_available => Some("the broker has no wildcard subscriptions"),
            _ => None,
        }
    }
}
