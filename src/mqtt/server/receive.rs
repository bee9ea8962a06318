//! Handles the packets of a client whose CONNECT was accepted.

use super::action::{Action, CloseCause};
use super::{Phase, Server, Unanswered};
use crate::mqtt::packet::{Disconnect, Packet, Publish, Subscribe};
use crate::mqtt::properties::{Property, reason_string};
use crate::mqtt::{ProtocolError, ProtocolVersion, Reason, ReasonCode};

impl Server {
    /// Returns the action that a packet requires; `None` if it requires none.
    pub(super) fn receive(&mut self, packet: Packet, size: usize) -> Result<Option<Action>, ProtocolError> {
        match packet {
            Packet::Publish(message) => self.message(message, size),
            Packet::Puback(puback) => {
                let id = puback.packet_id;
                if self.sent.remove(&id) || self.reserved.remove(&id) {
                    return Ok(Some(Action::Acknowledged(id, puback.code)));
                }
                self.ignored += 1;
                Ok(None)
            }
            Packet::Subscribe(request) => self.subscribe(request, size).map(Some),
            Packet::Unsubscribe(request) => {
                self.begin_request(request.packet_id, Unanswered::Unsubscribe(request.filters.len()), size)?;
                Ok(Some(Action::Unsubscribe(request)))
            }
            Packet::Pingreq => {
                self.put(&Packet::Pingresp);
                Ok(None)
            }
            Packet::Disconnect(disconnect) => self.disconnected(&disconnect).map(Some),
            Packet::Connect(_) => Err(ProtocolError::forbidden("MQTT-3.1.0-2", "a second CONNECT")),
            // The framer rejects all of these.
            Packet::Connack(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingresp
            | Packet::Oversize { .. }
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_)
            | Packet::Auth(_) => Err(ProtocolError::forbidden(
                "MQTT 5.0, 2.1.2",
                "a packet that clients do not send",
            )),
        }
    }

    fn message(&mut self, mut message: Publish, size: usize) -> Result<Option<Action>, ProtocolError> {
        let Phase::Connected(terms) = &mut self.phase else {
            return Ok(None);
        };
        let maximum = self.options.topic_alias_maximum;
        message.topic = terms.resolve_topic(message.topic, message.topic_alias.take(), maximum)?;
        if message.retain && !self.options.retain_available {
            return Err(ProtocolError::with_code(
                ReasonCode::RETAIN_NOT_SUPPORTED,
                terms.version.cite("MQTT-3.2.2-14", "MQTT 3.1.1, 3.3.1.3"),
                "a message that is retained, and the server retains nothing",
            ));
        }
        let version = terms.version;
        if let Some(id) = message.packet_id {
            if message.dup && matches!(self.unanswered.get(&id), Some((Unanswered::Publish, _))) {
                // One PUBACK answers both.
                self.ignored += 1;
                return Ok(None);
            }
            if version == ProtocolVersion::V5 && self.is_full() {
                return Err(ProtocolError::with_code(
                    ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
                    "MQTT-3.3.4-7",
                    "more unacknowledged messages than the Receive Maximum",
                ));
            }
            self.begin_request(id, Unanswered::Publish, size)?;
        }
        if message.left_out == 0 {
            return Ok(Some(Action::Publish(message)));
        }
        // A message with more user properties than are kept would differ from what its sender meant.
        self.ignored += 1;
        if let Some(id) = message.packet_id {
            let words = Some("it has more user properties than are accepted");
            self.puback(id, ReasonCode::QUOTA_EXCEEDED, words);
        }
        Ok(None)
    }

    fn subscribe(&mut self, mut request: Subscribe, size: usize) -> Result<Action, ProtocolError> {
        let has_identifier = request
            .properties
            .iter()
            .any(|property| matches!(property, Property::SubscriptionIdentifier(_)));
        if has_identifier && !self.options.subscription_identifiers_available {
            return Err(ProtocolError::with_code(
                ReasonCode::SUBSCRIPTION_IDS_NOT_SUPPORTED,
                "MQTT 5.0, 3.2.2.3.12",
                "a subscription identifier, and the server has none",
            ));
        }
        self.begin_request(
            request.packet_id,
            Unanswered::Subscribe(request.subscriptions.len()),
            size,
        )?;
        if let Phase::Connected(terms) = &self.phase
            && terms.bridge
        {
            for subscription in &mut request.subscriptions {
                subscription.options.no_local = true;
                subscription.options.retain_as_published = true;
            }
        }
        Ok(Action::Subscribe(request))
    }

    /// Records a packet identifier of the client until its request is answered.
    fn begin_request(&mut self, id: u16, request: Unanswered, size: usize) -> Result<(), ProtocolError> {
        if self.unanswered.contains_key(&id) {
            return Err(ProtocolError::forbidden(
                self.version().cite("MQTT-2.2.1-3", "MQTT-2.3.1-2"),
                "a packet identifier that is in use",
            ));
        }
        self.unanswered.insert(id, (request, size));
        self.unanswered_bytes += size;
        self.unanswered_publishes += usize::from(request == Unanswered::Publish);
        Ok(())
    }

    fn disconnected(&mut self, disconnect: &Disconnect) -> Result<Action, ProtocolError> {
        let expiry = disconnect.properties.iter().find_map(|property| match property {
            Property::SessionExpiryInterval(seconds) => Some(*seconds),
            _ => None,
        });
        if let (Phase::Connected(terms), Some(seconds)) = (&mut self.phase, expiry) {
            if terms.requested_expiry == 0 && seconds > 0 {
                return Err(ProtocolError::forbidden(
                    "MQTT 5.0, 3.14.2.2.2",
                    "DISCONNECT with a session expiry, and CONNECT had none",
                ));
            }
            terms.session_expiry = seconds.min(self.options.session_expiry_maximum);
        }
        Ok(self.close(CloseCause::Disconnected(Reason {
            code: disconnect.code,
            words: reason_string(&disconnect.properties),
        })))
    }
}
