//! A connection whose CONNECT was accepted: the client's requests and their answers, and the messages for it.

use super::action::{Action, CloseCause};
use super::outbound::Outbound;
use super::output::Output;
use super::requests::{Request, Requests};
use super::terms::{Acceptance, Terms};
use crate::mqtt::packet::{Acknowledgement, Disconnect, Packet, Publish, Suback, Subscribe};
use crate::mqtt::properties::{Property, reason_string};
use crate::mqtt::{Granted, ProtocolError, ProtocolVersion, Reason, ReasonCode, ServerOptions, codes};
use crate::qos::Qos;

/// The state of a connection between CONNACK and its end.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) terms: Terms,
    pub(super) requests: Requests,
    pub(super) outbound: Outbound,
    /// The number of packets that had no effect.
    pub(super) ignored: u64,
}

impl Connected {
    /// Creates the state of a connection that was accepted on these terms.
    pub(super) fn new(terms: Terms, acceptance: Acceptance, options: &ServerOptions) -> Self {
        let is_resumed = terms.resumes(&acceptance);
        let in_flight = acceptance.in_flight.into_iter().filter(|_| is_resumed);
        Self {
            requests: Requests::new(terms.version, options.receive_maximum),
            outbound: Outbound::new(terms.format(), terms.send_window, in_flight),
            ignored: 0,
            terms,
        }
    }

    /// Returns the action that a packet requires; `None` if it requires none.
    ///
    /// # Errors
    /// If the packet ends the connection.
    pub(super) fn receive(
        &mut self,
        packet: Packet,
        size: usize,
        options: &ServerOptions,
        output: &mut Output,
    ) -> Result<Option<Action>, CloseCause> {
        match packet {
            Packet::Publish(message) => self.receive_publish(message, size, options, output),
            Packet::Puback(puback) => {
                let (id, code) = (puback.packet_id, puback.code);
                let is_known = self.outbound.acknowledge(id);
                self.ignored += u64::from(!is_known);
                Ok(is_known.then_some(Action::Acknowledged(id, code)))
            }
            Packet::Subscribe(request) => {
                let action = self.receive_subscribe(request, size, options);
                action.map(Some).map_err(CloseCause::Protocol)
            }
            Packet::Unsubscribe(request) => {
                let kind = Request::Unsubscribe(request.filters.len());
                let begun = self.requests.begin(request.packet_id, kind, size);
                begun.map_err(CloseCause::Protocol)?;
                Ok(Some(Action::Unsubscribe(request)))
            }
            Packet::Pingreq => self.put(&Packet::Pingresp, output).map(|()| None),
            Packet::Disconnect(disconnect) => Err(self.receive_disconnect(&disconnect, options)),
            Packet::Connect(_) => {
                let error = ProtocolError::forbidden("MQTT-3.1.0-2", "a second CONNECT");
                Err(CloseCause::Protocol(error))
            }
            // The framer rejects all of these.
            Packet::Connack(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingresp
            | Packet::Oversize { .. }
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_)
            | Packet::Auth(_) => {
                let error = ProtocolError::forbidden("MQTT 5.0, 2.1.2", "a packet that clients do not send");
                Err(CloseCause::Protocol(error))
            }
        }
    }

    fn receive_publish(
        &mut self,
        mut message: Publish,
        size: usize,
        options: &ServerOptions,
        output: &mut Output,
    ) -> Result<Option<Action>, CloseCause> {
        let (topic, alias) = (std::mem::take(&mut message.topic), message.topic_alias.take());
        let resolved = self.terms.resolve_topic(topic, alias, options.topic_alias_maximum);
        message.topic = resolved.map_err(CloseCause::Protocol)?;
        if message.retain && !options.retain_available {
            return Err(CloseCause::Protocol(ProtocolError::with_code(
                ReasonCode::RETAIN_NOT_SUPPORTED,
                self.terms.version.cite("MQTT-3.2.2-14", "MQTT 3.1.1, 3.3.1.3"),
                "a message that is retained, and the server retains nothing",
            )));
        }
        if let Some(id) = message.packet_id {
            if message.dup && self.requests.has_publish(id) {
                // One PUBACK answers both.
                self.ignored += 1;
                return Ok(None);
            }
            let begun = self.requests.begin(id, Request::Publish, size);
            begun.map_err(CloseCause::Protocol)?;
        }
        if message.left_out == 0 {
            return Ok(Some(Action::Publish(message)));
        }
        // A message with more user properties than are kept would differ from what its sender meant.
        self.ignored += 1;
        if let Some(id) = message.packet_id {
            let words = Some("it has more user properties than are accepted");
            self.puback(id, ReasonCode::QUOTA_EXCEEDED, words, output)?;
        }
        Ok(None)
    }

    fn receive_subscribe(
        &mut self,
        mut request: Subscribe,
        size: usize,
        options: &ServerOptions,
    ) -> Result<Action, ProtocolError> {
        let has_identifier = request
            .properties
            .iter()
            .any(|property| matches!(property, Property::SubscriptionIdentifier(_)));
        if has_identifier && !options.subscription_identifiers_available {
            return Err(ProtocolError::with_code(
                ReasonCode::SUBSCRIPTION_IDS_NOT_SUPPORTED,
                "MQTT 5.0, 3.2.2.3.12",
                "a subscription identifier, and the server has none",
            ));
        }
        let kind = Request::Subscribe(request.subscriptions.len());
        self.requests.begin(request.packet_id, kind, size)?;
        if self.terms.bridge {
            for subscription in &mut request.subscriptions {
                subscription.options.no_local = true;
                subscription.options.retain_as_published = true;
            }
        }
        Ok(Action::Subscribe(request))
    }

    /// Returns the cause of the end after DISCONNECT.
    fn receive_disconnect(&mut self, disconnect: &Disconnect, options: &ServerOptions) -> CloseCause {
        match self.terms.change_expiry(disconnect, options.session_expiry_maximum) {
            Ok(()) => CloseCause::Disconnected(Reason {
                code: disconnect.code,
                words: reason_string(&disconnect.properties),
            }),
            Err(error) => CloseCause::Protocol(error),
        }
    }

    /// Answers a QoS 1 message.
    ///
    /// # Errors
    /// If the connection must end.
    pub(super) fn puback(
        &mut self,
        packet_id: u16,
        code: ReasonCode,
        words: Option<&str>,
        output: &mut Output,
    ) -> Result<(), CloseCause> {
        let is_publish = |request| request == Request::Publish;
        if self.requests.end(packet_id, is_publish).is_none() {
            return Ok(());
        }
        if self.terms.version == ProtocolVersion::V3_1_1 && code.is_failure() {
            return Err(CloseCause::Refused(code));
        }
        let code = codes::allowed(code, codes::PUBACK);
        self.answer(words, output, |properties| {
            Packet::Puback(Acknowledgement {
                packet_id,
                code,
                properties,
            })
        })
    }

    /// Answers SUBSCRIBE.
    ///
    /// # Errors
    /// If the connection must end.
    pub(super) fn suback(
        &mut self,
        packet_id: u16,
        granted: &[Granted],
        words: Option<&str>,
        output: &mut Output,
    ) -> Result<(), CloseCause> {
        let is_subscribe = |request| matches!(request, Request::Subscribe(_));
        let Some(Request::Subscribe(filters)) = self.requests.end(packet_id, is_subscribe) else {
            return Ok(());
        };
        let code = |granted: &Granted| match granted {
            Ok(qos) => ReasonCode((*qos).min(Qos::AtLeastOnce).number()),
            Err(code) => codes::allowed(*code, codes::SUBACK),
        };
        let codes = fill(granted.iter().map(code), filters);
        self.answer(words, output, |properties| {
            Packet::Suback(Suback {
                packet_id,
                codes: codes.clone(),
                properties,
            })
        })
    }

    /// Answers UNSUBSCRIBE.
    ///
    /// # Errors
    /// If the connection must end.
    pub(super) fn unsuback(
        &mut self,
        packet_id: u16,
        answers: &[ReasonCode],
        output: &mut Output,
    ) -> Result<(), CloseCause> {
        let is_unsubscribe = |request| matches!(request, Request::Unsubscribe(_));
        let Some(Request::Unsubscribe(filters)) = self.requests.end(packet_id, is_unsubscribe) else {
            return Ok(());
        };
        let codes = answers.iter().map(|code| codes::allowed(*code, codes::UNSUBACK));
        let unsuback = Packet::Unsuback(Suback {
            packet_id,
            codes: fill(codes, filters),
            properties: Vec::new(),
        });
        self.put(&unsuback, output)
    }

    /// Writes DISCONNECT, which servers may send only in MQTT 5, and only after CONNACK (MQTT-3.14.0-1).
    pub(super) fn put_disconnect(&self, code: ReasonCode, words: Option<&str>, output: &mut Output) {
        if self.terms.version == ProtocolVersion::V5 {
            output.put_with_words(words, self.terms.format(), |properties| {
                Packet::Disconnect(Disconnect { code, properties })
            });
        }
    }

    /// Writes an answer, with a text for people if the client wants and accepts it.
    fn answer(
        &self,
        words: Option<&str>,
        output: &mut Output,
        packet: impl Fn(Vec<Property>) -> Packet,
    ) -> Result<(), CloseCause> {
        let words = words.filter(|_| self.terms.problem_information);
        let is_put = output.put_with_words(words, self.terms.format(), packet);
        is_put.then_some(()).ok_or(CloseCause::ClientTooNarrow)
    }

    /// Writes a mandatory packet. If it is larger than the client accepts, the connection ends.
    fn put(&self, packet: &Packet, output: &mut Output) -> Result<(), CloseCause> {
        let is_put = output.put(packet, self.terms.format());
        is_put.then_some(()).ok_or(CloseCause::ClientTooNarrow)
    }
}

/// Returns one code for each filter; a filter without an answer is refused.
fn fill(codes: impl Iterator<Item = ReasonCode>, filters: usize) -> Vec<ReasonCode> {
    codes
        .chain(std::iter::repeat(ReasonCode::UNSPECIFIED_ERROR))
        .take(filters)
        .collect()
}
