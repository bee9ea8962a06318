//! The messages from a server that wait for their acknowledgement.

use std::collections::BTreeSet;

use super::incoming::Incoming;
use crate::messages::Received;
use crate::mqtt::packet::Publish;
use crate::mqtt::{MAX_USER_PROPERTIES, ProtocolError, RECEIVE_MAXIMUM, ReasonCode};

/// The messages that were received and not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    unacknowledged: BTreeSet<u16>,
    /// The number of messages that were repeated before their acknowledgement.
    pub(super) repeated: u64,
}

impl Inbound {
    /// Handles a message.
    ///
    /// # Errors
    /// If it violates the protocol.
    pub(super) fn receive(&mut self, message: Publish) -> Result<Incoming, ProtocolError> {
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
    ///
    /// # Errors
    /// If it violates the protocol.
    pub(super) fn skip(
        &mut self,
        packet_id: Option<u16>,
        topic: String,
        why: String,
    ) -> Result<Incoming, ProtocolError> {
        if !self.is_new(packet_id)? {
            return Ok(Incoming::Nothing);
        }
        Ok(Incoming::Skipped(packet_id, topic, why))
    }

    /// Ends the wait of a message. Returns false if none with this packet identifier waits.
    pub(super) fn acknowledge(&mut self, packet_id: u16) -> bool {
        self.unacknowledged.remove(&packet_id)
    }

    /// Returns whether a message is new, and not a repetition of one that we have not acknowledged yet: one PUBACK answers both.
    fn is_new(&mut self, packet_id: Option<u16>) -> Result<bool, ProtocolError> {
        let Some(id) = packet_id else { return Ok(true) };
        if self.unacknowledged.contains(&id) {
            self.repeated += 1;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qos::Qos;

    fn publish(packet_id: Option<u16>) -> Publish {
        Publish {
            packet_id,
            topic: "t".to_owned(),
            qos: packet_id.map_or(Qos::AtMostOnce, |_| Qos::AtLeastOnce),
            ..Publish::default()
        }
    }

    #[test]
    fn a_repeated_message_is_ignored_until_it_is_acknowledged() {
        let mut inbound = Inbound::default();
        let receive = |inbound: &mut Inbound, packet_id| match inbound.receive(publish(packet_id)).unwrap() {
            Incoming::Message(id, _) => {
                assert_eq!(id, packet_id);
                true
            }
            Incoming::Nothing => false,
            other => panic!("{other:?}"),
        };
        assert!(
            receive(&mut inbound, None) && receive(&mut inbound, None),
            "QoS 0 has no identifier"
        );
        assert!(receive(&mut inbound, Some(1)) && !receive(&mut inbound, Some(1)));
        assert_eq!(inbound.repeated, 1);
        assert!(inbound.acknowledge(1) && !inbound.acknowledge(1));
        assert!(
            receive(&mut inbound, Some(1)),
            "another message with the same identifier"
        );
        // A message that is skipped waits for its refusal as well.
        let skipped = inbound.skip(Some(2), "t".to_owned(), "too large".to_owned());
        assert!(matches!(skipped, Ok(Incoming::Skipped(Some(2), ..))), "{skipped:?}");
        assert!(!receive(&mut inbound, Some(2)) && inbound.acknowledge(2));
    }

    #[test]
    fn twice_the_receive_maximum_is_tolerated_and_no_more() {
        let mut inbound = Inbound::default();
        for id in 1..=2 * RECEIVE_MAXIMUM {
            assert!(inbound.receive(publish(Some(id))).is_ok(), "{id}");
        }
        let next = || publish(Some(2 * RECEIVE_MAXIMUM + 1));
        let error = inbound.receive(next()).unwrap_err();
        assert_eq!(error.code, ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
        assert!(inbound.receive(publish(None)).is_ok(), "QoS 0 does not count");
        assert!(inbound.acknowledge(1) && inbound.receive(next()).is_ok());
    }

    #[test]
    fn an_alias_is_an_error_and_too_many_properties_skip_the_message() {
        let alias = Publish {
            topic_alias: Some(1),
            ..publish(Some(1))
        };
        let error = Inbound::default().receive(alias).unwrap_err();
        assert_eq!(
            (error.code, error.statement),
            (ReasonCode::TOPIC_ALIAS_INVALID, "MQTT-3.1.2-27")
        );
        let rich = Publish {
            left_out: 2,
            ..publish(Some(1))
        };
        let Ok(Incoming::Skipped(Some(1), topic, why)) = Inbound::default().receive(rich) else {
            panic!("it is skipped");
        };
        let count = MAX_USER_PROPERTIES + 2;
        assert_eq!((topic.as_str(), why.contains(&count.to_string())), ("t", true));
    }
}
