//! Forwards packets to the broker, or sends responses to the client.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::front::end::ConnectionEnd;
use crate::front::session::Session;
use crate::front::writer::Outgoing;
use crate::mqtt::Packet;

/// The destinations of packets: the broker and the client.
pub(super) struct Forwarder<'a> {
    pub(super) session: &'a Arc<Session>,
    pub(super) to_client: mpsc::Sender<Outgoing>,
    pub(super) to_broker: mpsc::Sender<Bytes>,
}

impl Forwarder<'_> {
    pub(super) async fn forward(&self, packet: Packet) -> Result<(), ConnectionEnd> {
        let bytes = packet.encode(self.session.protocol);
        self.to_broker
            .send(bytes)
            .await
            .map_err(|_| ConnectionEnd::broker_failed("gone"))
    }

    pub(super) async fn answer(&self, packet: Packet) -> Result<(), ConnectionEnd> {
        let bytes = packet.encode(self.session.protocol);
        let outgoing = match packet {
            Packet::Puback(puback) => Outgoing::Puback {
                packet_id: puback.packet_id,
                bytes,
            },
            _ => Outgoing::Packet(bytes),
        };
        self.to_client
            .send(outgoing)
            .await
            .map_err(|_| ConnectionEnd::client_gone())
    }
}
