//! The client's side of one connection: which packets are permitted when, which packet identifiers are in use, and how many messages may be
//! in flight.

mod receive;

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use tokio::time::Instant;

use super::encode::{self, EncodeError, Header};
use super::packet::{Acknowledgement, Packet, Subscribe, Subscription, SubscriptionOptions, Unsubscribe};
use super::{Granted, ProtocolVersion, Reason, ReasonCode, ServerLimits};
use crate::messages::{Message, Received};
use crate::qos::Qos;

/// Maximum number of packet identifiers in use. There are few besides those of messages (SUBSCRIBE and UNSUBSCRIBE in progress), and the
/// limit makes sure that the search for a free identifier ends.
const MOST_UNDER_WAY: usize = 32_768;

/// The reason why a packet was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The server accepts no more unacknowledged packets until it has acknowledged another one.
    WindowFull,
    /// Too many bytes are waiting to be written.
    BufferFull,
    /// It can never be sent on a connection to this broker, for this reason.
    Never(String),
    /// The broker accepts no messages that it would have to acknowledge.
    AtMostOnceOnly,
}

/// The meaning of a packet from the server.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// A message. If it has a packet identifier, it must be acknowledged.
    Message(Option<u16>, Received),
    /// A message that was skipped, with its topic and the reason. If it has a packet identifier, it must be acknowledged with a failure.
    Skipped(Option<u16>, String, String),
    /// A message was answered.
    Acknowledged(u16, Reason),
    /// A SUBSCRIBE was answered: the result for each filter, and the server's reason string.
    Subscribed(u16, Vec<Granted>, Option<String>),
    /// An UNSUBSCRIBE was answered.
    Unsubscribed(u16),
    /// PINGRESP.
    Pong,
    /// The server has ended the connection.
    Disconnected(Reason),
    /// A packet that needs no reaction.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Publish,
    /// A SUBSCRIBE or UNSUBSCRIBE with this number of filters.
    Subscribe(usize),
    Unsubscribe(usize),
}

/// The client's side of a connection whose CONNECT was accepted.
#[derive(Debug)]
pub struct Client {
    limits: ServerLimits,
    under_way: BTreeMap<u16, (Sent, Instant)>,
    publishes: usize,
    last_id: u16,
    unacknowledged: BTreeSet<u16>,
    ignored: u64,
}

impl Client {
    /// Creates the client's side for a server with these limits.
    pub fn new(limits: ServerLimits) -> Self {
        Self {
            limits,
            under_way: BTreeMap::new(),
            publishes: 0,
            last_id: 0,
            unacknowledged: BTreeSet::new(),
            ignored: 0,
        }
    }

    /// Returns the limits that the server has set.
    pub fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Returns the number of acknowledgements that were ignored: repeated ones, and those with a packet identifier that is not in use.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Returns when the oldest unanswered packet was sent.
    pub fn oldest(&self) -> Option<Instant> {
        self.under_way.values().map(|(_, at)| *at).min()
    }

    /// Writes a message: at QoS 1, whose packet identifier is returned, or at QoS 0.
    ///
    /// # Errors
    /// If the server accepts no more messages now, or does not accept this one.
    pub fn publish(
        &mut self,
        message: &Message,
        acknowledged: bool,
        to: &mut BytesMut,
    ) -> Result<Option<u16>, NotSent> {
        // MQTT-3.2.2-11, -14 and -15: a packet that exceeds the server's announced limits is not sent.
        if acknowledged && self.limits.maximum_qos == Qos::AtMostOnce {
            return Err(NotSent::AtMostOnceOnly);
        }
        if message.retain && !self.limits.retain_available {
            return Err(NotSent::Never("the broker keeps no retained messages".to_owned()));
        }
        let (size, most) = (message.packet_size(), self.limits.maximum_packet_size);
        if size > usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(NotSent::Never(format!(
                "its packet has {size} bytes, and the broker accepts at most {most} bytes"
            )));
        }
        if !acknowledged {
            return write(to, message, None).map(|()| None).map_err(never);
        }
        if !self.has_room() {
            return Err(NotSent::WindowFull);
        }
        let id = self.free_id()?;
        write(to, message, Some(id)).map_err(never)?;
        self.publishes += 1;
        self.under_way.insert(id, (Sent::Publish, Instant::now()));
        Ok(Some(id))
    }

    /// Writes SUBSCRIBE.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn subscribe(&mut self, filters: &[(String, Qos)], to: &mut BytesMut) -> Result<u16, NotSent> {
        let id = self.free_id()?;
        let subscriptions = filters.iter().map(|(filter, qos)| Subscription {
            filter: filter.clone(),
            options: SubscriptionOptions {
                qos: *qos,
                ..SubscriptionOptions::default()
            },
        });
        let request = Packet::Subscribe(Subscribe {
            packet_id: id,
            subscriptions: subscriptions.collect(),
            properties: Vec::new(),
        });
        self.request(&request, to)?;
        self.under_way
            .insert(id, (Sent::Subscribe(filters.len()), Instant::now()));
        Ok(id)
    }

    /// Writes UNSUBSCRIBE.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn unsubscribe(&mut self, filters: &[String], to: &mut BytesMut) -> Result<u16, NotSent> {
        let id = self.free_id()?;
        let request = Packet::Unsubscribe(Unsubscribe {
            packet_id: id,
            filters: filters.to_vec(),
            properties: Vec::new(),
        });
        self.request(&request, to)?;
        self.under_way
            .insert(id, (Sent::Unsubscribe(filters.len()), Instant::now()));
        Ok(id)
    }

    /// Returns whether another QoS 1 message may be sent.
    pub fn has_room(&self) -> bool {
        self.publishes < usize::from(self.limits.receive_maximum)
    }

    /// Writes PUBACK with this code for a message that was received or skipped. A message that is refused with a code from 0x80 on is not
    /// sent again (MQTT-4.4.0-2). The caller must keep the order of the messages (MQTT-4.6.0-2).
    pub fn acknowledge(&mut self, packet_id: u16, code: ReasonCode, to: &mut BytesMut) {
        if self.unacknowledged.remove(&packet_id) {
            let puback = Packet::Puback(Acknowledgement {
                packet_id,
                code,
                properties: Vec::new(),
            });
            // Without properties it can always be written.
            let _ = encode::encode(to, &puback, ProtocolVersion::V5);
        }
    }

    /// Writes a SUBSCRIBE or UNSUBSCRIBE, unless it is larger than the server accepts (MQTT-3.2.2-15).
    fn request(&self, request: &Packet, to: &mut BytesMut) -> Result<(), NotSent> {
        let before = to.len();
        encode::encode(to, request, ProtocolVersion::V5).map_err(never)?;
        let (size, most) = (to.len() - before, self.limits.maximum_packet_size);
        if size <= usize::try_from(most).unwrap_or(usize::MAX) {
            return Ok(());
        }
        to.truncate(before);
        Err(NotSent::Never(format!(
            "the request has {size} bytes, and the broker accepts at most {most} bytes"
        )))
    }

    fn free_id(&mut self) -> Result<u16, NotSent> {
        if self.under_way.len() >= MOST_UNDER_WAY {
            return Err(NotSent::WindowFull);
        }
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.under_way.contains_key(&self.last_id) {
                return Ok(self.last_id);
            }
        }
    }
}

fn write(to: &mut BytesMut, message: &Message, packet_id: Option<u16>) -> Result<(), EncodeError> {
    let header = Header {
        qos: match packet_id {
            Some(_) => Qos::AtLeastOnce,
            None => Qos::AtMostOnce,
        },
        retain: message.retain,
        packet_id,
        ..Header::default()
    };
    let Message {
        topic,
        properties,
        payload,
        ..
    } = message;
    encode::publish(to, ProtocolVersion::V5, &header, topic, properties, payload)
}

fn never(_: EncodeError) -> NotSent {
    NotSent::Never("a field of it is longer than the 65,535 bytes that MQTT allows".to_owned())
}
