//! Packet identifiers of messages to a client. Both the broker and AWS's services send messages, and must not use the same identifier.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::direct_message::DirectOutcome;

/// The sender of a message that the client has not acknowledged.
#[derive(Debug)]
pub(super) enum Sender {
    /// The broker, under this identifier.
    Broker(u16),
    /// A service, which may be waiting for the acknowledgement.
    Service(Option<oneshot::Sender<DirectOutcome>>),
}

/// The packet identifiers that are in use on a connection.
#[derive(Debug, Default)]
pub(super) struct PacketIds(HashMap<u16, Sender>);

impl PacketIds {
    /// Returns the identifier under which the client gets a message from the broker: the broker's own, if it is free.
    pub(super) fn add_broker(&mut self, packet_id: u16) -> u16 {
        let known = self
            .0
            .iter()
            .find(|(_, sender)| matches!(sender, Sender::Broker(of_broker) if *of_broker == packet_id));
        if let Some((known, _)) = known {
            return *known;
        }
        let free = match self.0.contains_key(&packet_id) {
            true => self.free(),
            false => packet_id,
        };
        self.0.insert(free, Sender::Broker(packet_id));
        free
    }

    /// Returns an identifier for a message of a service.
    pub(super) fn add_service(&mut self, waiting: Option<oneshot::Sender<DirectOutcome>>) -> u16 {
        let free = self.free();
        self.0.insert(free, Sender::Service(waiting));
        free
    }

    /// Returns the sender of a message that the client has acknowledged, and frees its identifier.
    pub(super) fn acknowledged(&mut self, packet_id: u16) -> Option<Sender> {
        self.0.remove(&packet_id)
    }

    /// Returns a free identifier. The broker counts from 1 upwards, so the highest ones stay free longest.
    fn free(&self) -> u16 {
        (1..=u16::MAX)
            .rev()
            .find(|id| !self.0.contains_key(id))
            .unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_and_services_never_share_an_identifier() {
        let mut ids = PacketIds::default();
        assert_eq!(ids.add_broker(1), 1);
        assert_eq!(ids.add_service(None), u16::MAX);
        assert_eq!(ids.add_broker(u16::MAX), u16::MAX - 1, "taken by the service");
        assert_eq!(ids.add_broker(u16::MAX), u16::MAX - 1, "sent again");
        assert_eq!(ids.add_service(None), u16::MAX - 2);
        assert!(matches!(ids.acknowledged(1), Some(Sender::Broker(1))));
        assert!(matches!(ids.acknowledged(u16::MAX - 1), Some(Sender::Broker(u16::MAX))));
        assert!(matches!(ids.acknowledged(u16::MAX), Some(Sender::Service(None))));
        assert!(ids.acknowledged(1).is_none());
        assert_eq!(ids.add_service(None), u16::MAX);
    }
}
