//! Handles the packets from a server.

use super::{Client, Incoming, Sent};
use crate::messages::Received;
use crate::mqtt::packet::{Packet, Publish, Suback};
use crate::mqtt::properties::{Property, reason_string};
use crate::mqtt::{Granted, MAX_PACKET, MAX_USER_PROPERTIES, ProtocolError, RECEIVE_MAXIMUM, Reason, ReasonCode};
use crate::qos::Qos;

impl Client {
    /// Handles a packet from the server.
    ///
    /// # Errors
    /// If the packet is a protocol error.
    pub fn receive(&mut self, packet: Packet) -> Result<Incoming, ProtocolError> {
        match packet {
            Packet::Connack(_) => Err(ProtocolError::forbidden("MQTT-3.2.0-2", "a second CONNACK")),
            Packet::Publish(message) => self.message(message),
            Packet::Oversize { packet_id, topic, size } => {
                let why = format!("its packet has {size} bytes, and {MAX_PACKET} are taken");
                self.skip(packet_id, topic, why)
            }
            Packet::Puback(puback) => Ok(match self.answered(puback.packet_id, |sent| sent == Sent::Publish) {
                Some(_) => {
                    self.publishes -= 1;
                    Incoming::Acknowledged(puback.packet_id, reason(puback.code, &puback.properties))
                }
                None => Incoming::Nothing,
            }),
            Packet::Suback(suback) => self.suback(suback),
            Packet::Unsuback(unsuback) => self.unsuback(&unsuback),
            Packet::Pingresp => Ok(Incoming::Pong),
            Packet::Disconnect(disconnect) => {
                let reason = reason(disconnect.code, &disconnect.properties);
                Ok(Incoming::Disconnected(reason))
            }
            // The framer rejects all of these.
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::Pingreq
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_)
            | Packet::Auth(_) => Err(ProtocolError::forbidden(
                "MQTT 5.0, 2.1.2",
                "a packet that servers do not send",
            )),
        }
    }

    fn message(&mut self, message: Publish) -> Result<Incoming, ProtocolError> {
        // We announce no Topic Alias Maximum, so no alias is permitted.
        if message.topic_alias.is_some() {
            return Err(ProtocolError::with_code(
                ReasonCode::TOPIC_ALIAS_INVALID,
                "MQTT-3.1.2-27",
                "a topic alias, and none was allowed",
            ));
        }
        if message.left_out > 0 {
            let count = MAX_USER_PROPERTIES + message.left_out;
            let why = format!("it has {count} user properties, and {MAX_USER_PROPERTIES} are taken");
            return self.skip(message.packet_id, message.topic, why);
        }
        if !self.is_new(message.packet_id)? {
            return Ok(Incoming::Nothing);
        }
        let received = Received {
            topic: message.topic,
            payload: message.payload,
            qos: message.qos,
            retained: message.retain,
            properties: message.properties,
        };
        Ok(Incoming::Message(message.packet_id, received))
    }

    /// Skips a message that cannot be accepted.
    fn skip(&mut self, packet_id: Option<u16>, topic: String, why: String) -> Result<Incoming, ProtocolError> {
        if !self.is_new(packet_id)? {
            return Ok(Incoming::Nothing);
        }
        Ok(Incoming::Skipped(packet_id, topic, why))
    }

    fn suback(&mut self, suback: Suback) -> Result<Incoming, ProtocolError> {
        let id = suback.packet_id;
        match self.answered(id, |sent| matches!(sent, Sent::Subscribe(_))) {
            Some(Sent::Subscribe(filters)) if filters != suback.codes.len() => Err(ProtocolError::forbidden(
                "MQTT-3.8.4-6",
                "SUBACK without a reason code for each filter",
            )),
            Some(_) => {
                let granted = suback.codes.into_iter().map(granted).collect();
                Ok(Incoming::Subscribed(id, granted, reason_string(&suback.properties)))
            }
            None => Ok(Incoming::Nothing),
        }
    }

    fn unsuback(&mut self, unsuback: &Suback) -> Result<Incoming, ProtocolError> {
        match self.answered(unsuback.packet_id, |sent| matches!(sent, Sent::Unsubscribe(_))) {
            Some(Sent::Unsubscribe(filters)) if filters != unsuback.codes.len() => Err(ProtocolError::forbidden(
                "MQTT-3.11.3-2",
                "UNSUBACK without a reason code for each filter",
            )),
            Some(_) => Ok(Incoming::Unsubscribed(unsuback.packet_id)),
            None => Ok(Incoming::Nothing),
        }
    }

    /// Returns whether a message is new, and not a repetition of one that we have not acknowledged yet: one PUBACK answers both.
    fn is_new(&mut self, packet_id: Option<u16>) -> Result<bool, ProtocolError> {
        let Some(id) = packet_id else { return Ok(true) };
        if self.unacknowledged.contains(&id) {
            self.ignored += 1;
            return Ok(false);
        }
        // Mosquitto 2.0 loses count of the Receive Maximum if several messages are acknowledged at once, so twice as many are tolerated.
        if self.unacknowledged.len() >= 2 * usize::from(RECEIVE_MAXIMUM) {
            let code = ReasonCode::RECEIVE_MAXIMUM_EXCEEDED;
            return Err(ProtocolError::with_code(
                code,
                "MQTT-3.3.4-9",
                "more unacknowledged messages than gatepost permits",
            ));
        }
        self.unacknowledged.insert(id);
        Ok(true)
    }

    /// Returns the request that an acknowledgement answers. One that answers nothing is counted and ignored.
    fn answered(&mut self, id: u16, is: impl Fn(Sent) -> bool) -> Option<Sent> {
        match self.under_way.get(&id) {
            Some((sent, _)) if is(*sent) => self.under_way.remove(&id).map(|(sent, _)| sent),
            _ => {
                self.ignored += 1;
                None
            }
        }
    }
}

fn reason(code: ReasonCode, properties: &[Property]) -> Reason {
    Reason {
        code,
        words: reason_string(properties),
    }
}

/// Returns the result for one filter of a SUBSCRIBE.
fn granted(code: ReasonCode) -> Granted {
    Qos::from_number(code.0).ok_or(code)
}
