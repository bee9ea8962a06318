//! The client's side of one connection: which packets are permitted when, which packet identifiers are in use, and how many messages may be
//! in flight.

mod in_flight;
mod inbound;
mod incoming;

pub use incoming::Incoming;

use bytes::BytesMut;
use tokio::time::Instant;

use super::encode::{self, EncodeError, Header};
use super::packet::{Acknowledgement, Packet, Suback, Subscribe, Subscription, SubscriptionOptions, Unsubscribe};
use super::properties::{Property, reason_string};
use super::{Granted, MAX_PACKET, ProtocolError, ProtocolVersion, Reason, ReasonCode, ServerLimits};
use crate::messages::Message;
use crate::qos::Qos;
use in_flight::{InFlight, Sent};
use inbound::Inbound;

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

/// The client's side of a connection whose CONNECT was accepted.
#[derive(Debug)]
pub struct Client {
    limits: ServerLimits,
    in_flight: InFlight,
    inbound: Inbound,
}

impl Client {
    /// Creates the client's side for a server with these limits.
    pub fn new(limits: ServerLimits) -> Self {
        Self {
            limits,
            in_flight: InFlight::default(),
            inbound: Inbound::default(),
        }
    }

    /// Returns the limits that the server has set.
    pub fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Returns the number of packets that were ignored: messages that were repeated before their acknowledgement, and answers with a packet
    /// identifier that is not in use.
    pub fn ignored(&self) -> u64 {
        self.in_flight.unexpected + self.inbound.repeated
    }

    /// Returns when the oldest unanswered packet was sent.
    pub fn oldest(&self) -> Option<Instant> {
        self.in_flight.oldest()
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
        let id = self.in_flight.free_id().ok_or(NotSent::WindowFull)?;
        write(to, message, Some(id)).map_err(never)?;
        self.in_flight.begin(id, Sent::Publish, Instant::now());
        Ok(Some(id))
    }

    /// Writes SUBSCRIBE.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn subscribe(&mut self, filters: &[(String, Qos)], to: &mut BytesMut) -> Result<u16, NotSent> {
        let id = self.in_flight.free_id().ok_or(NotSent::WindowFull)?;
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
        self.in_flight.begin(id, Sent::Subscribe(filters.len()), Instant::now());
        Ok(id)
    }

    /// Writes UNSUBSCRIBE.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn unsubscribe(&mut self, filters: &[String], to: &mut BytesMut) -> Result<u16, NotSent> {
        let id = self.in_flight.free_id().ok_or(NotSent::WindowFull)?;
        let request = Packet::Unsubscribe(Unsubscribe {
            packet_id: id,
            filters: filters.to_vec(),
            properties: Vec::new(),
        });
        self.request(&request, to)?;
        self.in_flight
            .begin(id, Sent::Unsubscribe(filters.len()), Instant::now());
        Ok(id)
    }

    /// Returns whether another QoS 1 message may be sent.
    pub fn has_room(&self) -> bool {
        self.in_flight.publishes() < usize::from(self.limits.receive_maximum)
    }

    /// Writes PUBACK with this code for a message that was received or skipped. A message that is refused with a code from 0x80 on is not
    /// sent again (MQTT-4.4.0-2). The caller must keep the order of the messages (MQTT-4.6.0-2).
    pub fn acknowledge(&mut self, packet_id: u16, code: ReasonCode, to: &mut BytesMut) {
        if self.inbound.acknowledge(packet_id) {
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

    /// Handles a packet from the server.
    ///
    /// # Errors
    /// If the packet is a protocol error.
    pub fn receive(&mut self, packet: Packet) -> Result<Incoming, ProtocolError> {
        match packet {
            Packet::Connack(_) => Err(ProtocolError::forbidden("MQTT-3.2.0-2", "a second CONNACK")),
            Packet::Publish(message) => self.inbound.receive(message),
            Packet::Oversize { packet_id, topic, size } => {
                let why = format!("its packet has {size} bytes, and {MAX_PACKET} are taken");
                self.inbound.skip(packet_id, topic, why)
            }
            Packet::Puback(puback) => Ok(
                match self.in_flight.end(puback.packet_id, |sent| sent == Sent::Publish) {
                    Some(_) => Incoming::Acknowledged(puback.packet_id, reason(puback.code, &puback.properties)),
                    None => Incoming::Nothing,
                },
            ),
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

    fn suback(&mut self, suback: Suback) -> Result<Incoming, ProtocolError> {
        let id = suback.packet_id;
        match self.in_flight.end(id, |sent| matches!(sent, Sent::Subscribe(_))) {
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
        match self
            .in_flight
            .end(unsuback.packet_id, |sent| matches!(sent, Sent::Unsubscribe(_)))
        {
            Some(Sent::Unsubscribe(filters)) if filters != unsuback.codes.len() => Err(ProtocolError::forbidden(
                "MQTT-3.11.3-2",
                "UNSUBACK without a reason code for each filter",
            )),
            Some(_) => Ok(Incoming::Unsubscribed(unsuback.packet_id)),
            None => Ok(Incoming::Nothing),
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
