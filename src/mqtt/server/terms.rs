//! The limits and options that both sides of a server's connection have agreed on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::{Close, CloseCause, DueWill};
use super::options::ServerOptions;
use super::output::PacketFormat;
use crate::mqtt::packet::{Connack, Connect, Disconnect, Packet, Will};
use crate::mqtt::properties::Property;
use crate::mqtt::{ProtocolError, ProtocolVersion, Reason, ReasonCode};

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
    clean_start: bool,
    /// Maximum size of a packet that the client accepts.
    maximum_packet_size: usize,
    /// Maximum number of messages in flight to the client.
    pub(super) send_window: u16,
    /// Whether answers to requests may have a reason string (MQTT-3.1.2-29).
    pub(super) problem_information: bool,
    keep_alive: Duration,
    /// On the heap, because few clients have one.
    will: Option<Box<Will>>,
    /// The session expiry in CONNECT.
    requested_expiry: u32,
    /// The session expiry that was granted, or changed since.
    session_expiry: u32,
    aliases: BTreeMap<u16, String>,
}

impl Terms {
    /// Returns what CONNECT requests, within the server's limits.
    pub(super) fn of(connect: &Connect, options: &ServerOptions) -> Self {
        let mut terms = Self {
            version: connect.version,
            bridge: connect.bridge,
            clean_start: connect.clean_start,
            maximum_packet_size: usize::MAX,
            send_window: options.send_maximum,
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
                Property::ReceiveMaximum(most) => terms.send_window = terms.send_window.min(*most),
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

    /// Returns whether the existing session is resumed.
    pub(super) fn resumes(&self, acceptance: &Acceptance) -> bool {
        acceptance.session_present && !self.clean_start
    }

    /// Changes the terms as the server has decided. Returns CONNACK.
    pub(super) fn settle(&mut self, acceptance: &Acceptance, options: &ServerOptions) -> Packet {
        let mut properties = Vec::new();
        if let Some(granted) = acceptance.session_expiry {
            self.session_expiry = granted.min(options.session_expiry_maximum);
        }
        // A clean session of MQTT 3.1.1 ends with its connection.
        if self.version == ProtocolVersion::V3_1_1 && self.clean_start {
            self.session_expiry = 0;
        }
        if self.session_expiry != self.requested_expiry {
            properties.push(Property::SessionExpiryInterval(self.session_expiry));
        }
        if let Some(seconds) = acceptance.keep_alive.filter(|_| self.version == ProtocolVersion::V5) {
            self.keep_alive = Duration::from_secs(seconds.into());
            properties.push(Property::ServerKeepAlive(seconds));
        }
        if let Some(client_id) = &acceptance.assigned_client_id {
            properties.push(Property::AssignedClientIdentifier(client_id.clone()));
        }
        options.announce(&mut properties);
        Packet::Connack(Connack {
            session_present: self.resumes(acceptance),
            code: ReasonCode::SUCCESS,
            properties,
        })
    }

    /// Returns the form in which the client accepts packets.
    pub(super) fn format(&self) -> PacketFormat {
        PacketFormat {
            version: self.version,
            maximum_size: self.maximum_packet_size,
        }
    }

    /// Returns how long the client may be silent; `None` if it has no keep-alive.
    pub(super) fn silence_limit(&self) -> Option<Duration> {
        (!self.keep_alive.is_zero()).then(|| self.keep_alive * 3 / 2)
    }

    /// Changes the session expiry as DISCONNECT says.
    ///
    /// # Errors
    /// If CONNECT had none (MQTT 5.0, 3.14.2.2.2).
    pub(super) fn change_expiry(&mut self, disconnect: &Disconnect, maximum: u32) -> Result<(), ProtocolError> {
        let expiry = disconnect.properties.iter().find_map(|property| match property {
            Property::SessionExpiryInterval(seconds) => Some(*seconds),
            _ => None,
        });
        let Some(seconds) = expiry else { return Ok(()) };
        if self.requested_expiry == 0 && seconds > 0 {
            return Err(ProtocolError::forbidden(
                "MQTT 5.0, 3.14.2.2.2",
                "DISCONNECT with a session expiry, and CONNECT had none",
            ));
        }
        self.session_expiry = seconds.min(maximum);
        Ok(())
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

    /// Returns what remains after an end for this reason: the will, unless the client has cancelled it, and the session.
    pub(super) fn close(&mut self, cause: CloseCause) -> Close {
        // MQTT 3.1.1 has no other code, and discards the will as well (MQTT-3.14.4-3).
        let is_discarded =
            matches!(&cause, CloseCause::Disconnected(Reason { code, .. }) if *code == ReasonCode::SUCCESS);
        Close {
            will: self.due_will().filter(|_| !is_discarded),
            session_expiry: self.session_expiry,
            cause,
        }
    }

    /// Returns the will after an end that does not cancel it. It is delayed until its delay has passed, or until the session ends if that
    /// is sooner (MQTT-3.1.2-8).
    fn due_will(&mut self) -> Option<DueWill> {
        let will = self.will.take()?;
        let delay = Duration::from_secs(will.delay.min(self.session_expiry).into());
        Some(DueWill { will, delay })
    }
}
