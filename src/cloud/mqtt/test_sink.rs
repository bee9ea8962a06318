//! A connection without a network, for tests: it enforces the protocol as a real one does, and records the packets sent.

use bytes::BytesMut;

use super::packet_sink::PacketSink;
use crate::messages::Message;
use crate::mqtt::packet::Acknowledgement;
use crate::mqtt::{Client, Incoming, NotSent, Packet, Reason, ReasonCode, ServerLimits};
use crate::qos::Qos;

/// A packet that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// PUBLISH: topic, payload, and the packet identifier at QoS 1.
    Publish(String, String, Option<u16>),
    /// SUBSCRIBE.
    Subscribe(u16, Vec<(String, Qos)>),
    /// UNSUBSCRIBE.
    Unsubscribe(u16, Vec<String>),
}

/// Records packets.
#[derive(Debug)]
pub struct TestSink {
    client: Client,
    /// Whether the send buffer is full, so that no message is accepted.
    pub buffer_is_full: bool,
    /// Packets sent so far, in order.
    pub sent: Vec<Sent>,
}

impl TestSink {
    /// Creates a connection to a server with these limits.
    pub fn new(limits: ServerLimits) -> Self {
        Self {
            client: Client::new(limits),
            buffer_is_full: false,
            sent: Vec::new(),
        }
    }

    /// Lets the server acknowledge a message.
    pub fn acknowledge(&mut self, packet_id: u16) -> Reason {
        let incoming = self.client.receive(Packet::Puback(Acknowledgement {
            packet_id,
            code: ReasonCode::SUCCESS,
            properties: Vec::new(),
        }));
        let Ok(Incoming::Acknowledged(_, reason)) = incoming else {
            panic!("{incoming:?}");
        };
        reason
    }

    /// Returns the packet identifier of the last message with this payload.
    pub fn id_of(&self, payload: &str) -> Option<u16> {
        self.sent.iter().rev().find_map(|sent| match sent {
            Sent::Publish(_, found, id) if found == payload => *id,
            _ => None,
        })
    }
}

impl PacketSink for TestSink {
    fn limits(&self) -> &ServerLimits {
        self.client.limits()
    }

    fn accept(&mut self, message: &Message, acknowledged: bool) -> Result<Option<u16>, NotSent> {
        if self.buffer_is_full {
            return Err(NotSent::BufferFull);
        }
        let id = self.client.publish(message, acknowledged, &mut BytesMut::new())?;
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        self.sent.push(Sent::Publish(message.topic.clone(), payload, id));
        Ok(id)
    }

    fn subscribe(&mut self, filters: &[(String, Qos)]) -> Result<u16, NotSent> {
        let id = self.client.subscribe(filters, &mut BytesMut::new())?;
        self.sent.push(Sent::Subscribe(id, filters.to_vec()));
        Ok(id)
    }

    fn unsubscribe(&mut self, filters: &[String]) -> Result<u16, NotSent> {
        let id = self.client.unsubscribe(filters, &mut BytesMut::new())?;
        self.sent.push(Sent::Unsubscribe(id, filters.to_vec()));
        Ok(id)
    }
}
