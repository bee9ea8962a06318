//! Delivers messages of the inbox to a client, and tracks which of them it has not acknowledged.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::counts::{add, count};
use super::principal::Principal;
use super::stored::{StoredMessages, packet_id};
use super::subscribe::ClientSubscriptions;
use crate::messages::{AckGuard, ClientInbox, QueuedMessage};
use crate::mqtt::{Delivery, Match, NotDelivered, ReasonCode, Server};
use crate::qos::Qos;

/// A client is disconnected if it has not acknowledged a message for this long. AWS gets its acknowledgements in the order of the messages,
/// so those of other programs wait for this one.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);
/// The same limit while AWS sends nothing to any program until a message is acknowledged.
const BLOCKING_ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between checks of these limits.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A message that was sent and not acknowledged.
struct InFlight {
    ack: AckGuard,
    /// The number of a stored message.
    stored: Option<i64>,
    since: Instant,
}

/// The messages of the inbox that a client is sent.
pub(super) struct Deliveries {
    /// Messages that were sent and not acknowledged, by packet identifier.
    in_flight: HashMap<u16, InFlight>,
    /// Messages that the session has stored.
    stored: StoredMessages,
    /// Acknowledgements to AWS that the client's own have released.
    taken: Vec<AckGuard>,
    /// The inbox's number of dropped messages when it was last read.
    dropped: u64,
}

/// The result of sending a message: its packet identifier at QoS 1. `None` if the client must not get it.
type Sent = Option<Option<u16>>;

impl Deliveries {
    pub(super) fn new(stored: StoredMessages) -> Self {
        Self {
            in_flight: HashMap::new(),
            stored,
            taken: Vec::new(),
            dropped: 0,
        }
    }

    /// Sends as many messages from the inbox as the client accepts now.
    pub(super) fn send(&mut self, principal: &Principal, subscriptions: &mut ClientSubscriptions, server: &mut Server) {
        let now = principal.context.inbox.now();
        let log = &principal.context.mqtt.log;
        let ClientSubscriptions { inbox, filters, .. } = subscriptions;
        while let Some(queued) = inbox.next_message() {
            let is_own = filters.is_own(&queued.message, Instant::now());
            // The subscription may have ended since the message was queued.
            let outcome = match filters.find(&queued.message, is_own) {
                Some(found) => self.send_one(&queued, &found, server, now),
                None => Ok(None),
            };
            match outcome {
                Ok(sent) => {
                    if is_own {
                        filters.forget_own(&queued.message);
                    }
                    if sent.is_some() {
                        count(&log.counts.delivered);
                    }
                    self.record(queued, sent);
                }
                Err(NotDelivered::TooLarge) => {
                    log.drop_delivery(&principal.name, "it accepts no packet of that size");
                    self.record(queued, None);
                }
                Err(NotDelivered::WindowFull | NotDelivered::BufferFull | NotDelivered::NotConnected) => {
                    inbox.put_back(queued);
                    break;
                }
            }
        }
        let dropped = inbox.dropped();
        if dropped > self.dropped {
            let why = "it does not read as fast as messages at quality of service 0 come";
            log.drop_delivery(&principal.name, why);
            add(&log.counts.delivery_dropped, dropped - self.dropped - 1);
            self.dropped = dropped;
        }
    }

    /// Sends a message, unless it has expired.
    fn send_one(
        &self,
        queued: &QueuedMessage,
        found: &Match,
        server: &mut Server,
        now: SystemTime,
    ) -> Result<Sent, NotDelivered> {
        let message = &queued.message;
        let mut properties = Cow::Borrowed(&message.properties);
        if let (Some((_, received)), Some(expiry)) = (queued.stored, message.properties.message_expiry) {
            let age = now.duration_since(received).unwrap_or_default().as_secs();
            let left = u64::from(expiry).saturating_sub(age);
            if left == 0 {
                return Ok(None);
            }
            properties.to_mut().message_expiry = u32::try_from(left).ok();
        }
        let delivery = Delivery {
            topic: &message.topic,
            qos: found.qos,
            // AWS clears the flag of messages that it sends because of an existing subscription.
            retain: message.retained,
            subscription_identifiers: &found.identifiers,
            properties: &properties,
            payload: &message.payload,
        };
        let Some((number, _)) = queued.stored.filter(|_| found.qos > Qos::AtMostOnce) else {
            return server.deliver(&delivery).map(Some);
        };
        let packet_id = packet_id(number);
        match self.stored.is_sent(number) {
            true => server.redeliver(packet_id, &delivery)?,
            false => server.deliver_as(packet_id, &delivery)?,
        }
        Ok(Some(Some(packet_id)))
    }

    /// Records that a message was sent, or will not be sent at all.
    fn record(&mut self, queued: QueuedMessage, sent: Sent) {
        let number = queued.stored.map(|(number, _)| number);
        match (sent, number) {
            (Some(Some(packet_id)), _) => {
                if let Some(number) = number {
                    self.stored.record_sent(number);
                }
                let in_flight = InFlight {
                    ack: queued.ack,
                    stored: number,
                    since: Instant::now(),
                };
                self.in_flight.insert(packet_id, in_flight);
            }
            (Some(None), _) => {
                queued.ack.mark_taken();
                self.stored.done.extend(number);
            }
            (None, _) => self.stored.done.extend(number),
        }
    }

    /// Handles PUBACK. A PUBACK with a failure code means that the client does not have the message.
    pub(super) fn acknowledge(&mut self, packet_id: u16, code: ReasonCode) {
        let Some(in_flight) = self.in_flight.remove(&packet_id) else {
            return;
        };
        if !code.is_failure() {
            in_flight.ack.mark_taken();
        }
        self.taken.push(in_flight.ack);
        // A message that the client refuses is not sent again (MQTT-4.4.0-2).
        self.stored.done.extend(in_flight.stored);
    }

    /// Passes the acknowledgements on to AWS, all at once.
    pub(super) fn release(&mut self) {
        self.taken = Vec::new();
    }

    /// Whether there are stored messages to delete.
    pub(super) fn has_done(&self) -> bool {
        !self.stored.done.is_empty()
    }

    /// Takes the numbers of the stored messages to delete.
    pub(super) fn take_done(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.stored.done)
    }

    /// Returns the number of the last message that was sent, for the next connection.
    pub(super) fn watermark(&self) -> i64 {
        self.stored.watermark()
    }

    /// Returns whether messages wait for the client, so that its time limit applies.
    pub(super) fn is_awaited(&self, inbox: &ClientInbox) -> bool {
        !self.in_flight.is_empty() || inbox.oldest().is_some()
    }

    /// Returns whether the client has not acknowledged a message in time, or not taken the oldest one of its queue: when that was queued,
    /// and whether AWS waits for it.
    pub(super) fn is_late(&self, queued: Option<(Instant, bool)>, now: Instant) -> bool {
        let in_flight = self.in_flight.values().filter(|one| one.ack.is_required());
        let sent = in_flight.map(|one| (one.since, one.ack.blocks_others()));
        sent.chain(queued).any(|(since, blocks_others)| {
            let limit = if blocks_others {
                BLOCKING_ACK_TIMEOUT
            } else {
                ACK_TIMEOUT
            };
            now.duration_since(since) >= limit
        })
    }
}

#[cfg(test)]
mod tests;
