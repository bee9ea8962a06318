//! Messages to a client: packet identifiers, its Receive Maximum, the packets that it accepts.

use super::delivery::{Delivery, NotDelivered};
use super::{MAX_OUTPUT, Phase, Server};
use crate::mqtt::encode::{self, Header};
use crate::qos::Qos;

/// The most packet identifiers in use towards a client: a bound, so that the search for a free one ends.
const MAX_IDS: usize = 32_768;

impl Server {
    /// Sends a message: at quality of service 1 under the packet identifier that is returned.
    ///
    /// # Errors
    /// When it cannot be sent, or not now.
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

    /// Sends a message at quality of service 1 for the first time, under a packet identifier of the driver's choice.
    ///
    /// # Errors
    /// When it cannot be sent, or not now: the packet identifier is in use, too.
    pub fn deliver_as(&mut self, packet_id: u16, delivery: &Delivery) -> Result<(), NotDelivered> {
        if packet_id == 0 || self.sent.contains(&packet_id) || self.reserved.contains(&packet_id) {
            return Err(NotDelivered::WindowFull);
        }
        self.check_window()?;
        self.send(delivery, Some(packet_id), false)?;
        self.sent.insert(packet_id);
        Ok(())
    }

    /// Sends a message of the resumed session again, under the packet identifier that it had (MQTT-4.4.0-1).
    ///
    /// # Errors
    /// When it cannot be sent, or not now. One that is too large loses its packet identifier.
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

    /// The packet identifiers that the client has yet to acknowledge, in no order: the session's, should it be resumed.
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
