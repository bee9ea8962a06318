//! The limits and options that both sides of a server's connection have agreed on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::DueWill;
use crate::mqtt::packet::{Connect, Will};
use crate::mqtt::properties::Property;
use crate::mqtt::{ProtocolError, ProtocolVersion, ReasonCode};

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

/// The server's answer to a CONNECT that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// Whether the existing session is resumed. That never happens after a clean start.
    pub session_present: bool,
    /// The client identifier that the server has assigned, if the client did not choose one.
    pub assigned_client_id: Option<String>,
    /// How many seconds the session is kept after the connection; `None` for as long as the client requests.
    pub session_expiry: Option<u32>,
    /// The keep-alive in seconds that replaces the client's.
    pub keep_alive: Option<u16>,
    /// The packet identifiers of the session's messages that were sent and not acknowledged. They are not used for other messages. The
    /// driver sends these messages again with [`redeliver`](super::Server::redeliver), before any others, in their original order.
    pub in_flight: Vec<u16>,
}

/// The terms of one connection.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) version: ProtocolVersion,
    pub(super) bridge: bool,
    pub(super) clean_start: bool,
    /// Maximum size of a packet that the client accepts.
    pub(super) maximum_packet_size: usize,
    /// Maximum number of messages in flight to the client.
    pub(super) send_window: usize,
    /// Whether answers to requests may have a reason string (MQTT-3.1.2-29).
    pub(super) problem_information: bool,
    pub(super) keep_alive: Duration,
    /// On the heap, because few clients have one.
    pub(super) will: Option<Box<Will>>,
    /// The session expiry in CONNECT.
    pub(super) requested_expiry: u32,
    /// The session expiry that was granted, or changed since.
    pub(super) session_expiry: u32,
    aliases: BTreeMap<u16, String>,
}

impl Terms {
    pub(super) fn of(connect: &Connect, options: &ServerOptions) -> Self {
        let mut terms = Self {
            version: connect.version,
            bridge: connect.bridge,
            clean_start: connect.clean_start,
            maximum_packet_size: usize::MAX,
            send_window: options.send_maximum.into(),
            problem_information: true,
            keep_alive: Duration::from_secs(connect.keep_alive.into()),
            will: connect.will.clone().map(Box::new),
            // A session of MQTT 3.1.1 never expires unless it is clean (MQTT-3.1.2-6).
            requested_expiry: match connect.version {
                ProtocolVersion::V3_1_1 if !connect.clean_start => u32::MAX,
                _ => 0,
            },
            session_expiry: 0,
            aliases: BTreeMap::new(),
        };
        for property in &connect.properties {
            match property {
                Property::SessionExpiryInterval(seconds) => terms.requested_expiry = *seconds,
                Property::ReceiveMaximum(most) => terms.send_window = terms.send_window.min(usize::from(*most)),
                Property::MaximumPacketSize(bytes) => {
                    terms.maximum_packet_size = usize::try_from(*bytes).unwrap_or(usize::MAX);
                }
                Property::RequestProblemInformation(wanted) => terms.problem_information = *wanted,
                // A server need not use topic aliases or send response information.
                _ => {}
            }
        }
        terms.session_expiry = terms.requested_expiry.min(options.session_expiry_maximum);
        terms
    }

    /// Returns the topic of a message, which may use an alias (MQTT 5.0, 3.3.2.3.4).
    pub(super) fn resolve_topic(
        &mut self,
        topic: String,
        alias: Option<u16>,
        maximum: u16,
    ) -> Result<String, ProtocolError> {
        let Some(alias) = alias else { return Ok(topic) };
        if alias > maximum {
            return Err(ProtocolError::with_code(
                ReasonCode::TOPIC_ALIAS_INVALID,
                "MQTT-3.3.2-9",
                "a topic alias above the Topic Alias Maximum",
            ));
        }
        if topic.is_empty() {
            return self.aliases.get(&alias).cloned().ok_or(ProtocolError::forbidden(
                "MQTT 5.0, 3.3.2.3.4",
                "a topic alias that stands for nothing",
            ));
        }
        self.aliases.insert(alias, topic.clone());
        Ok(topic)
    }

    /// Returns the will after an end that does not cancel it. It is delayed until its delay has passed, or until the session ends if that
    /// is sooner (MQTT-3.1.2-8).
    pub(super) fn due_will(&mut self) -> Option<DueWill> {
        let will = self.will.take()?;
        let delay = Duration::from_secs(will.delay.min(self.session_expiry).into());
        Some(DueWill { will, delay })
    }
}
