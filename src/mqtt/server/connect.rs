//! Handles CONNECT and its answers.

use tokio::time::Instant;

use super::action::{Action, CloseCause};
use super::terms::{Acceptance, Terms};
use super::{Phase, Server};
use crate::mqtt::decode::announced_version;
use crate::mqtt::packet::{Connack, Connect, Packet};
use crate::mqtt::properties::Property;
use crate::mqtt::{Frame, MAX_PACKET, ProtocolError, ProtocolVersion, ReasonCode, Sender, codes, decode};
use crate::qos::Qos;

impl Server {
    /// Reads the first packet, which must be CONNECT.
    pub(super) fn first(&mut self, frame: Frame) -> Action {
        let Frame::Packet { first: 0x10, body } = &frame else {
            let error = ProtocolError::forbidden("MQTT-3.1.0-1", "another packet before CONNECT");
            return self.close(CloseCause::Protocol(error));
        };
        let version = announced_version(body);
        let connect = match decode(frame, Sender::Client, ProtocolVersion::V5) {
            Ok(Packet::Connect(connect)) => connect,
            Ok(_) => {
                let error = ProtocolError::forbidden("MQTT-3.1.0-1", "another packet before CONNECT");
                return self.close(CloseCause::Protocol(error));
            }
            Err(error) => return self.refuse_protocol_error(error, version),
        };
        self.framer.set_version(connect.version);
        if let Err(error) = self.check(&connect) {
            return self.refuse_protocol_error(error, version);
        }
        self.phase = Phase::Connecting(Terms::of(&connect, &self.options));
        Action::Connect(connect)
    }

    /// Refuses requests that a server with these options does not support, whoever the client is.
    fn check(&self, connect: &Connect) -> Result<(), ProtocolError> {
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
            _ if will.is_some_and(|will| will.retain) && !self.options.retain_available => (
                ReasonCode::RETAIN_NOT_SUPPORTED,
                connect.version.cite("MQTT-3.2.2-13", "MQTT 3.1.1, 3.1.2.7"),
                "a will that is retained, and the server retains nothing",
            ),
            _ => return Ok(()),
        };
        Err(ProtocolError::with_code(code, statement, what))
    }

    /// Refuses a CONNECT that is a protocol error, with CONNACK if the client understands one (MQTT-3.1.4-1).
    fn refuse_protocol_error(&mut self, error: ProtocolError, version: Option<ProtocolVersion>) -> Action {
        if let Some(version) = version {
            self.put_refusal(error.code, None, version, usize::MAX);
        }
        self.close(CloseCause::Protocol(error))
    }

    /// Accepts the CONNECT.
    pub fn accept(&mut self, acceptance: Acceptance, now: Instant) {
        let Phase::Connecting(mut terms) = std::mem::replace(&mut self.phase, Phase::Ended) else {
            return;
        };
        let mut properties = Vec::new();
        if let Some(granted) = acceptance.session_expiry {
            terms.session_expiry = granted.min(self.options.session_expiry_maximum);
        }
        // A clean session of MQTT 3.1.1 ends with its connection.
        if terms.version == ProtocolVersion::V3_1_1 && terms.clean_start {
            terms.session_expiry = 0;
        }
        if terms.session_expiry != terms.requested_expiry {
            properties.push(Property::SessionExpiryInterval(terms.session_expiry));
        }
        if let Some(seconds) = acceptance.keep_alive.filter(|_| terms.version == ProtocolVersion::V5) {
            terms.keep_alive = std::time::Duration::from_secs(seconds.into());
            properties.push(Property::ServerKeepAlive(seconds));
        }
        if let Some(client_id) = acceptance.assigned_client_id {
            properties.push(Property::AssignedClientIdentifier(client_id));
        }
        self.put_limits(&mut properties);
        let connack = Packet::Connack(Connack {
            session_present: acceptance.session_present && !terms.clean_start,
            code: ReasonCode::SUCCESS,
            properties,
        });
        let (version, most) = (terms.version, terms.maximum_packet_size);
        if !self.put_within(&connack, version, most) {
            // No other packet may precede CONNACK, not even DISCONNECT (MQTT-3.14.0-1).
            self.put_refusal(ReasonCode::PACKET_TOO_LARGE, None, version, most);
            return self.close_later(CloseCause::ClientTooNarrow);
        }
        self.received = now;
        if acceptance.session_present && !terms.clean_start {
            self.reserved = acceptance.in_flight.into_iter().filter(|id| *id != 0).collect();
        }
        self.phase = Phase::Connected(terms);
    }

    /// Adds the server's limits that differ from the specification's defaults.
    fn put_limits(&self, properties: &mut Vec<Property>) {
        properties.extend([
            Property::ReceiveMaximum(self.options.receive_maximum.max(1)),
            Property::MaximumQos(Qos::AtLeastOnce),
            Property::MaximumPacketSize(MAX_PACKET),
            Property::TopicAliasMaximum(self.options.topic_alias_maximum),
            Property::SharedSubscriptionAvailable(false),
        ]);
        if !self.options.retain_available {
            properties.push(Property::RetainAvailable(false));
        }
        if !self.options.subscription_identifiers_available {
            properties.push(Property::SubscriptionIdentifierAvailable(false));
        }
    }

    /// Refuses the CONNECT. In MQTT 3.1.1 the code is converted to the return code with the same meaning, or none is sent (MQTT-3.2.2-6).
    /// The driver writes the output and closes.
    pub fn refuse(&mut self, code: ReasonCode, words: Option<&str>) {
        if let Phase::Connecting(terms) = std::mem::replace(&mut self.phase, Phase::Ended) {
            self.put_refusal(code, words, terms.version, terms.maximum_packet_size);
        }
    }

    fn put_refusal(&mut self, code: ReasonCode, words: Option<&str>, version: ProtocolVersion, most: usize) {
        let code = match version {
            ProtocolVersion::V5 => codes::allowed(code, codes::CONNACK),
            ProtocolVersion::V3_1_1 => code,
        };
        let connack = |properties| {
            Packet::Connack(Connack {
                session_present: false,
                code,
                properties,
            })
        };
        let with_words = words.map(|words| vec![Property::ReasonString(words.to_owned())]);
        for properties in [with_words, Some(Vec::new())].into_iter().flatten() {
            if self.put_within(&connack(properties), version, most) {
                return;
            }
        }
    }
}
