//! The client's side of one connection: which packet may come when, which packet identifiers are in use, and how much may be
//! under way.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use tokio::time::Instant;

use super::decode::Packet;
use super::encode::{self, FieldTooLong};
use super::{Granted, ProtocolError, RECEIVE_MAXIMUM, Reason, ReasonCode, ServerLimits};
use crate::messages::{Message, Received};
use crate::qos::Qos;

/// SUBSCRIBE and UNSUBSCRIBE under way, and with them packet identifiers beside those of messages, are few: a bound, so that
/// the search for a free identifier ends.
const MOST_UNDER_WAY: usize = 32_768;

/// Why a packet was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The server takes no more unacknowledged packets: one more goes when it has acknowledged another.
    WindowFull,
    /// Too many bytes wait to be written.
    BufferFull,
    /// Not on a connection to this broker, and why.
    Never(String),
    /// The broker takes no message that it would have to acknowledge.
    AtMostOnceOnly,
}

/// The meaning of a packet of the server.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// A message; with a packet identifier it wants an acknowledgement.
    Message(Option<u16>, Received),
    /// A message was skipped, where it was published and why; with a packet identifier it wants an acknowledgement, which
    /// will say that it was refused.
    Skipped(Option<u16>, String, String),
    /// A message was answered.
    Acknowledged(u16, Reason),
    /// A SUBSCRIBE was answered: each filter by itself, and the server's words.
    Subscribed(u16, Vec<Granted>, Option<String>),
    /// An UNSUBSCRIBE was answered.
    Unsubscribed(u16),
    /// PINGRESP.
    Pong,
    /// The server has ended the connection.
    Disconnected(Reason),
    /// Something without consequence.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Publish,
    /// With the number of filters.
    Subscribe(usize),
    Unsubscribe(usize),
}

/// A client whose CONNECT was accepted.
#[derive(Debug)]
pub struct Client {
    limits: ServerLimits,
    under_way: BTreeMap<u16, (Sent, Instant)>,
    publishes: usize,
    last_id: u16,
    unacknowledged: BTreeSet<u16>,
    /// Those of them that were skipped.
    skipped: BTreeSet<u16>,
    ignored: u64,
}

impl Client {
    /// A client of a server that takes so much.
    pub fn new(limits: ServerLimits) -> Self {
        Self {
            limits,
            under_way: BTreeMap::new(),
            publishes: 0,
            last_id: 0,
            unacknowledged: BTreeSet::new(),
            skipped: BTreeSet::new(),
            ignored: 0,
        }
    }

    /// The limits that the server has set.
    pub fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Acknowledgements that answered nothing: PUBACK twice, or for a packet identifier that is not in use.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// When the oldest packet was sent that the server has yet to answer.
    pub fn oldest(&self) -> Option<Instant> {
        self.under_way.values().map(|(_, at)| *at).min()
    }

    /// Writes a message: at quality of service 1, under the packet identifier that is returned, or at 0.
    ///
    /// # Errors
    /// When the server takes no more at once, or does not take this one.
    pub fn publish(
        &mut self,
        message: &Message,
        acknowledged: bool,
        to: &mut BytesMut,
    ) -> Result<Option<u16>, NotSent> {
        // MQTT-3.2.2-11, -14 and -15: what the server has said that it does not take is not sent.
        if acknowledged && self.limits.maximum_qos == Qos::AtMostOnce {
            return Err(NotSent::AtMostOnceOnly);
        }
        if message.retain && !self.limits.retain_available {
            return Err(NotSent::Never("the broker keeps no retained messages".to_owned()));
        }
        let (size, most) = (message.packet_size(), self.limits.maximum_packet_size);
        if size > usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(NotSent::Never(format!(
                "its packet has {size} bytes, and the broker takes packets of at most {most} bytes"
            )));
        }
        if !acknowledged {
            return encode::publish(to, message, None).map(|()| None).map_err(never);
        }
        if !self.has_room() {
            return Err(NotSent::WindowFull);
        }
        let id = self.free_id()?;
        encode::publish(to, message, Some(id)).map_err(never)?;
        self.publishes += 1;
        self.under_way.insert(id, (Sent::Publish, Instant::now()));
        Ok(Some(id))
    }

    /// Writes SUBSCRIBE.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn subscribe(&mut self, filters: &[(String, Qos)], to: &mut BytesMut) -> Result<u16, NotSent> {
        let id = self.free_id()?;
        let before = to.len();
        encode::subscribe(to, id, filters).map_err(never)?;
        self.fits(before, to)?;
        self.under_way
            .insert(id, (Sent::Subscribe(filters.len()), Instant::now()));
        Ok(id)
    }

    /// Writes UNSUBSCRIBE.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn unsubscribe(&mut self, filters: &[String], to: &mut BytesMut) -> Result<u16, NotSent> {
        let id = self.free_id()?;
        let before = to.len();
        encode::unsubscribe(to, id, filters).map_err(never)?;
        self.fits(before, to)?;
        self.under_way
            .insert(id, (Sent::Unsubscribe(filters.len()), Instant::now()));
        Ok(id)
    }

    /// Whether one more message at quality of service 1 may be sent.
    pub fn has_room(&self) -> bool {
        self.publishes < usize::from(self.limits.receive_maximum)
    }

    /// Writes PUBACK for a message that was received or skipped. The caller keeps the order in which they came (MQTT-4.6.0-2).
    pub fn acknowledge(&mut self, packet_id: u16, to: &mut BytesMut) {
        if self.unacknowledged.remove(&packet_id) {
            // A message that is refused with a code from 0x80 on is not sent again (MQTT-4.4.0-2).
            let code = match self.skipped.remove(&packet_id) {
                true => ReasonCode::QUOTA_EXCEEDED,
                false => ReasonCode::SUCCESS,
            };
            encode::puback(to, packet_id, code);
        }
    }

    /// Takes a packet of the server.
    ///
    /// # Errors
    /// With the breach, where the packet may not come now.
    pub fn receive(&mut self, packet: Packet) -> Result<Incoming, ProtocolError> {
        match packet {
            Packet::Accepted(_) | Packet::Refused(_) => {
                Err(ProtocolError::forbidden("MQTT-3.2.0-2", "a second CONNACK"))
            }
            Packet::Publish { packet_id, message } => Ok(match self.is_new(packet_id)? {
                true => Incoming::Message(packet_id, message),
                false => Incoming::Nothing,
            }),
            Packet::Untakeable { packet_id, topic, why } => {
                if !self.is_new(packet_id)? {
                    return Ok(Incoming::Nothing);
                }
                self.skipped.extend(packet_id);
                Ok(Incoming::Skipped(packet_id, topic, why))
            }
            Packet::Puback(id, reason) => Ok(match self.answered(id, |sent| sent == Sent::Publish) {
                Some(_) => {
                    self.publishes -= 1;
                    Incoming::Acknowledged(id, reason)
                }
                None => Incoming::Nothing,
            }),
            Packet::Suback(id, codes, words) => match self.answered(id, |sent| matches!(sent, Sent::Subscribe(_))) {
                Some(Sent::Subscribe(filters)) if filters != codes.len() => Err(ProtocolError::forbidden(
                    "MQTT-3.8.4-6",
                    "SUBACK without a reason code for each filter",
                )),
                Some(_) => Ok(Incoming::Subscribed(id, codes, words)),
                None => Ok(Incoming::Nothing),
            },
            Packet::Unsuback(id, codes) => match self.answered(id, |sent| matches!(sent, Sent::Unsubscribe(_))) {
                Some(Sent::Unsubscribe(filters)) if filters != codes.len() => Err(ProtocolError::forbidden(
                    "MQTT-3.11.3-2",
                    "UNSUBACK without a reason code for each filter",
                )),
                Some(_) => Ok(Incoming::Unsubscribed(id)),
                None => Ok(Incoming::Nothing),
            },
            Packet::Pingresp => Ok(Incoming::Pong),
            Packet::Disconnect(reason) => Ok(Incoming::Disconnected(reason)),
        }
    }

    /// Whether a message is not just another copy of one that we have not acknowledged yet: one PUBACK answers both.
    fn is_new(&mut self, packet_id: Option<u16>) -> Result<bool, ProtocolError> {
        let Some(id) = packet_id else { return Ok(true) };
        if self.unacknowledged.contains(&id) {
            self.ignored += 1;
            return Ok(false);
        }
        // Mosquitto 2.0 loses count of the Receive Maximum where several are acknowledged at once, so twice of it is borne.
        if self.unacknowledged.len() >= 2 * usize::from(RECEIVE_MAXIMUM) {
            let code = ReasonCode::RECEIVE_MAXIMUM_EXCEEDED;
            return Err(ProtocolError::with_code(
                code,
                "MQTT-3.3.4-9",
                "more messages than it was told to send unacknowledged",
            ));
        }
        self.unacknowledged.insert(id);
        Ok(true)
    }

    /// The request that the acknowledgement answers; one that answers nothing is counted and ignored.
    fn answered(&mut self, id: u16, is: impl Fn(Sent) -> bool) -> Option<Sent> {
        match self.under_way.get(&id) {
            Some((sent, _)) if is(*sent) => self.under_way.remove(&id).map(|(sent, _)| sent),
            _ => {
                self.ignored += 1;
                None
            }
        }
    }

    /// Takes a SUBSCRIBE or UNSUBSCRIBE back that is larger than the server takes (MQTT-3.2.2-15).
    fn fits(&self, before: usize, to: &mut BytesMut) -> Result<(), NotSent> {
        let (size, most) = (to.len() - before, self.limits.maximum_packet_size);
        if size <= usize::try_from(most).unwrap_or(usize::MAX) {
            return Ok(());
        }
        to.truncate(before);
        Err(NotSent::Never(format!(
            "the request has {size} bytes, and the broker takes packets of at most {most} bytes"
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

fn never(_: FieldTooLong) -> NotSent {
    NotSent::Never("a field of it is longer than the 65,535 bytes that MQTT allows".to_owned())
}
