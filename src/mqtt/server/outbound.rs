//! The messages on their way to a client: their packet identifiers, within its Receive Maximum.

use std::collections::BTreeSet;

use super::delivery::{Delivery, NotDelivered};
use super::output::{Output, PacketFormat};
use crate::qos::Qos;

/// Maximum number of packet identifiers in use for a client, so that the search for a free one ends.
const MAX_IDS: usize = 32_768;

/// The messages that a client has not acknowledged.
#[derive(Debug)]
pub(super) struct Outbound {
    format: PacketFormat,
    /// Maximum number of messages in flight.
    window: u16,
    /// Packet identifiers of messages that were sent on this connection.
    sent: BTreeSet<u16>,
    /// Packet identifiers of the session's messages that must be sent again.
    reserved: BTreeSet<u16>,
    last_id: u16,
}

impl Outbound {
    /// Creates the state of a connection whose session has messages with these packet identifiers.
    pub(super) fn new(format: PacketFormat, window: u16, reserved: impl IntoIterator<Item = u16>) -> Self {
        Self {
            format,
            window,
            sent: BTreeSet::new(),
            reserved: reserved.into_iter().filter(|id| *id != 0).collect(),
            last_id: 0,
        }
    }

    /// Sends a message. At QoS 1 its packet identifier is returned.
    pub(super) fn deliver(&mut self, delivery: &Delivery, output: &mut Output) -> Result<Option<u16>, NotDelivered> {
        if delivery.qos == Qos::AtMostOnce {
            return output.put_message(delivery, None, false, self.format).map(|()| None);
        }
        self.check_window()?;
        let id = self.free_id()?;
        output.put_message(delivery, Some(id), false, self.format)?;
        self.sent.insert(id);
        Ok(Some(id))
    }

    /// Sends a QoS 1 message for the first time, with a packet identifier of the driver's choice.
    pub(super) fn deliver_as(
        &mut self,
        packet_id: u16,
        delivery: &Delivery,
        output: &mut Output,
    ) -> Result<(), NotDelivered> {
        if packet_id == 0 || self.is_used(packet_id) {
            return Err(NotDelivered::WindowFull);
        }
        self.check_window()?;
        output.put_message(delivery, Some(packet_id), false, self.format)?;
        self.sent.insert(packet_id);
        Ok(())
    }

    /// Sends a message of the resumed session again. The packet identifier of one that is too large is released.
    pub(super) fn redeliver(
        &mut self,
        packet_id: u16,
        delivery: &Delivery,
        output: &mut Output,
    ) -> Result<(), NotDelivered> {
        if packet_id == 0 || self.sent.contains(&packet_id) {
            return Ok(());
        }
        self.check_window()?;
        let outcome = output.put_message(delivery, Some(packet_id), true, self.format);
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

    /// Handles PUBACK. Returns false if no message has the packet identifier.
    pub(super) fn acknowledge(&mut self, packet_id: u16) -> bool {
        self.sent.remove(&packet_id) || self.reserved.remove(&packet_id)
    }

    /// Returns the packet identifiers that are in use, in any order.
    pub(super) fn ids(&self) -> impl Iterator<Item = u16> + '_ {
        self.sent.iter().chain(&self.reserved).copied()
    }

    fn is_used(&self, packet_id: u16) -> bool {
        self.sent.contains(&packet_id) || self.reserved.contains(&packet_id)
    }

    fn check_window(&self) -> Result<(), NotDelivered> {
        match self.sent.len() < usize::from(self.window) {
            true => Ok(()),
            false => Err(NotDelivered::WindowFull),
        }
    }

    fn free_id(&mut self) -> Result<u16, NotDelivered> {
        if self.sent.len() + self.reserved.len() >= MAX_IDS {
            return Err(NotDelivered::WindowFull);
        }
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.is_used(self.last_id) {
                return Ok(self.last_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Properties;
    use crate::mqtt::ProtocolVersion;

    const FORMAT: PacketFormat = PacketFormat {
        version: ProtocolVersion::V5,
        maximum_size: 100,
    };

    /// Calls a function with a message whose packet is within the limit, or not.
    fn with<T>(is_short: bool, run: impl FnOnce(&Delivery, &mut Output) -> T) -> T {
        let properties = Properties::default();
        let delivery = Delivery {
            topic: "t",
            qos: Qos::AtLeastOnce,
            retain: false,
            subscription_identifiers: &[],
            properties: &properties,
            payload: if is_short { b"x" } else { &[0; 100] },
        };
        run(&delivery, &mut Output::default())
    }

    #[test]
    fn a_free_packet_identifier_is_found_after_the_last_one_and_never_0() {
        for (last, reserved, expected) in [
            (0, &[][..], 1),
            (0, &[1, 2], 3),
            (0, &[0, 1], 2),
            (65_535, &[], 1),
            (65_534, &[65_535, 1], 2),
        ] {
            let mut outbound = Outbound::new(FORMAT, 10, reserved.iter().copied());
            outbound.last_id = last;
            let sent = with(true, |message, output| outbound.deliver(message, output));
            assert_eq!(sent, Ok(Some(expected)), "after {last}, without {reserved:?}");
        }
        let mut full = Outbound::new(FORMAT, u16::MAX, 1..=32_768);
        let sent = with(true, |message, output| full.deliver(message, output));
        assert_eq!(sent, Err(NotDelivered::WindowFull));
    }

    #[test]
    fn messages_of_the_session_keep_their_packet_identifiers_until_they_are_acknowledged() {
        let mut outbound = Outbound::new(FORMAT, 2, [0, 5, 6, 7]);
        let ids = |outbound: &Outbound| outbound.ids().collect::<BTreeSet<_>>();
        assert_eq!(ids(&outbound), BTreeSet::from([5, 6, 7]));
        // Another message cannot have them, nor 0.
        for id in [0, 5] {
            let sent = with(true, |message, output| outbound.deliver_as(id, message, output));
            assert_eq!(sent, Err(NotDelivered::WindowFull), "{id}");
        }
        let mut again = |id, is_short| with(is_short, |message, output| outbound.redeliver(id, message, output));
        assert_eq!(again(5, true), Ok(()));
        assert_eq!(again(5, true), Ok(()), "it has been sent, and counts once");
        assert_eq!(again(6, false), Err(NotDelivered::TooLarge));
        assert_eq!(again(0, true), Ok(()));
        let sent = with(true, |message, output| outbound.deliver_as(6, message, output));
        assert_eq!(sent, Ok(()), "the identifier of the one that was too large");
        let sent = with(true, |message, output| outbound.redeliver(7, message, output));
        assert_eq!(sent, Err(NotDelivered::WindowFull));
        assert_eq!(ids(&outbound), BTreeSet::from([5, 6, 7]));
        // A client may acknowledge what an earlier connection has sent.
        assert!(outbound.acknowledge(7) && outbound.acknowledge(5) && !outbound.acknowledge(5));
        assert_eq!(ids(&outbound), BTreeSet::from([6]));
    }
}
