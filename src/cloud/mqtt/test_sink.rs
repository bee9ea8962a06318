//! A connection without a network: it keeps to the protocol as the real one does, and the test reads what was sent.

use bytes::BytesMut;

use super::{NotSent, PacketSink};
use crate::messages::Message;
use crate::mqtt::packet::Acknowledgement;
use crate::mqtt::{Client, Incoming, Packet, Reason, ReasonCode, ServerLimits};
use crate::qos::Qos;

/// A packet that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// PUBLISH: its topic and payload, and its packet identifier at quality of service 1.
    Publish(String, String, Option<u16>),
    /// SUBSCRIBE.
    Subscribe(u16, Vec<(String, Qos)>),
    /// UNSUBSCRIBE.
    Unsubscribe(u16, Vec<String>),
}

/// Takes packets and keeps them for the test.
#[derive(Debug)]
pub struct TestSink {
    client: Client,
    /// Whether so many bytes wait to be written that no message is taken.
    pub buffer_is_full: bool,
    /// The packets that were handed over, in order.
    pub sent: Vec<Sent>,
}

impl TestSink {
    /// A connection to a server with these limits.
    pub fn new(limits: ServerLimits) -> Self {
        Self {
            client: Client::new(limits),
            buffer_is_full: false,
            sent: Vec::new(),
        }
    }

    /// The server acknowledges a message: there is room for one more.
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

    /// The packet identifier of the last message with this payload.
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

    fn hand_over(&mut self, message: &Message, acknowledged: bool) -> Result<Option<u16>, NotSent> {
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
