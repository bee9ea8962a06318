//! The properties of CONNACK: what the server says of itself and of its limits.

use std::time::Duration;

use super::packet::Connack;
use super::properties::{Property, reason_string};
use super::{MAX_PACKET, ProtocolError, Reason};
use crate::qos::Qos;

/// The answers of a CONNACK with success, with the defaults of the specification where it says nothing (MQTT 5.0, 3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Whether the server had kept the session.
    pub session_present: bool,
    /// How long it keeps the session, where that is not what was asked for.
    pub session_expiry: Option<Duration>,
    /// The most messages at quality of service 1 that may wait for their PUBACK.
    pub receive_maximum: u16,
    /// The largest packet that it takes.
    pub maximum_packet_size: u32,
    /// The highest quality of service at which it takes messages.
    pub maximum_qos: Qos,
    /// Whether it keeps retained messages.
    pub retain_available: bool,
    /// Whether it takes filters with `+` and `#`.
    pub wildcards_available: bool,
    /// Whether it takes filters that begin with `$share/`.
    pub shared_available: bool,
    /// The keep-alive that it wants instead of ours.
    pub keep_alive: Option<Duration>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            session_present: false,
            session_expiry: None,
            receive_maximum: u16::MAX,
            // Without a word the protocol's own limit would hold. AWS says its limit; nobody takes 256 MiB.
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
    /// Reads a CONNACK that answers `client_id`: the limits, or why the server refuses.
    ///
    /// # Errors
    /// With the breach, where a property says what no server may say.
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
                // 0 turns the server's own supervision off; ours goes on.
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

    /// Why a topic filter cannot be asked for, where the server says so beforehand.
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
