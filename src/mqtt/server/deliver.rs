//! Sends messages to a client, within its packet identifiers, Receive Maximum and Maximum Packet Size.

use super::delivery::{Delivery, NotDelivered};
use super::{MAX_OUTPUT, Phase, Server};
use crate::mqtt::encode::{self, Header};
use crate::qos::Qos;

/// Maximum number of packet identifiers in use for a client, so that the search for a free one ends.
const MAX_IDS: usize = 32_768;

impl Server {
    /// Sends a message. At QoS 1 its packet identifier is returned.
    ///
    /// # Errors
    /// If it cannot be sent, or not now.
    pub fn deliver(&mut self, delivery: &Delivery) -> Result<Option<u16>, NotDelivered> {
        if delivery.qos == Qos::AtMostOnce {
            return self.send(delivery, None, false).map(|()| None);
        }
        self.check_window()?;
        let id = self.free_id()?;
        self.send(delivery, Some(id), false)?;
        self.sent.insert(id);
        Ok(Some(id))
    }

    /// Sends a QoS 1 message for the first time, with a packet identifier of the driver's choice.
    ///
    /// # Errors
    /// If it cannot be sent, or not now, for instance because the packet identifier is in use.
    pub fn deliver_as(&mut self, packet_id: u16, delivery: &Delivery) -> Result<(), NotDelivered> {
        if packet_id == 0 || self.sent.contains(&packet_id) || self.reserved.contains(&packet_id) {
            return Err(NotDelivered::WindowFull);
        }
        self.check_window()?;
        self.send(delivery, Some(packet_id), false)?;
        self.sent.insert(packet_id);
        Ok(())
    }

    /// Sends a message of the resumed session again, with the packet identifier that it had (MQTT-4.4.0-1).
    ///
    /// # Errors
    /// If it cannot be sent, or not now. The packet identifier of one that is too large is released.
    pub fn redeliver(&mut self, packet_id: u16, delivery: &Delivery) -> Result<(), NotDelivered> {
        if packet_id == 0 || self.sent.contains(&packet_id) {
            return Ok(());
        }
        self.check_window()?;
        let outcome = self.send(delivery, Some(packet_id), true);
        match outcome {
            Ok(()) => {
                self.reserved.remove(&packet_id);
                self.sent.insert(packet_id);
            }
            Err(NotDelivered::TooLarge) => {
                self.reserved.remove(&packet_id);
            }
            Err(_) => {}
        }
        outcome
    }

    /// Returns the packet identifiers of messages that the client has not acknowledged, in any order. They belong to the session.
    pub fn in_flight(&self) -> impl Iterator<Item = u16> + '_ {
        self.sent.iter().chain(&self.reserved).copied()
    }

    fn check_window(&self) -> Result<(), NotDelivered> {
        match &self.phase {
            Phase::Connected(terms) if self.sent.len() < terms.send_window => Ok(()),
            Phase::Connected(_) => Err(NotDelivered::WindowFull),
            _ => Err(NotDelivered::NotConnected),
        }
    }

    fn send(&mut self, delivery: &Delivery, packet_id: Option<u16>, dup: bool) -> Result<(), NotDelivered> {
        let Phase::Connected(terms) = &self.phase else {
            return Err(NotDelivered::NotConnected);
        };
        if self.output.len() > MAX_OUTPUT {
            return Err(NotDelivered::BufferFull);
        }
        let header = Header {
            dup,
            qos: match packet_id {
                Some(_) => Qos::AtLeastOnce,
                None => Qos::AtMostOnce,
            },
            retain: delivery.retain,
            packet_id,
            topic_alias: None,
            subscription_identifiers: delivery.subscription_identifiers,
        };
        let before = self.output.len();
        let written = encode::publish(
            &mut self.output,
            terms.version,
            &header,
            delivery.topic,
            delivery.properties,
            delivery.payload,
        );
        if written.is_ok() && self.output.len() - before <= terms.maximum_packet_size {
            return Ok(());
        }
        self.output.truncate(before);
        Err(NotDelivered::TooLarge)
    }

    fn free_id(&mut self) -> Result<u16, NotDelivered> {
        if self.sent.len() + self.reserved.len() >= MAX_IDS {
            return Err(NotDelivered::WindowFull);
        }
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.sent.contains(&self.last_id) && !self.reserved.contains(&self.last_id) {
                return Ok(self.last_id);
            }
        }
    }
}
