//! Delivers messages to clients, and disconnects clients that do not acknowledge them.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::client::{Client, InFlight, Session};
use super::counts::{add, count};
use super::stored::packet_id;
use crate::messages::QueuedMessage;
use crate::mqtt::{Close, Delivery, NotDelivered, ReasonCode, Server};
use crate::qos::Qos;

/// A client is disconnected if it has not acknowledged a message for this long. AWS gets its acknowledgements in the order of the messages,
/// so those of other programs wait for this one.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);
/// The same limit while AWS sends nothing to any program until a message is acknowledged.
const BLOCKING_ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between checks of these limits.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Client {
    /// Sends as many messages from the inbox as the client accepts now.
    pub(super) fn deliver(&mut self) {
        let now = self.context.inbox.now();
        let log = &self.context.mqtt.log;
        let Some(session) = &mut self.session else { return };
        while let Some(queued) = session.inbox.next_message() {
            let is_own = session.is_own(&queued);
            match send(&mut self.server, session, &queued, is_own, now) {
                Ok(sent) => {
                    if let Some(own) = session.own.as_mut().filter(|_| is_own) {
                        own.take(&queued.message.topic, &queued.message.payload);
                    }
                    if sent.is_some() {
                        count(&log.counts.delivered);
                    }
                    session.record(queued, sent);
                }
                Err(NotDelivered::TooLarge) => {
                    log.drop_delivery(&session.name, "it accepts no packet of that size");
                    session.record(queued, None);
                }
                Err(NotDelivered::WindowFull | NotDelivered::BufferFull | NotDelivered::NotConnected) => {
                    session.inbox.put_back(queued);
                    break;
                }
            }
        }
        let dropped = session.inbox.dropped();
        if dropped > session.dropped {
            let why = "it does not read as fast as messages at quality of service 0 come";
            log.drop_delivery(&session.name, why);
            add(&log.counts.delivery_dropped, dropped - session.dropped - 1);
            session.dropped = dropped;
        }
    }

    /// Handles PUBACK. A PUBACK with a failure code means that the client does not have the message.
    pub(super) fn acknowledged(&mut self, packet_id: u16, code: ReasonCode) {
        let in_flight = self
            .session
            .as_mut()
            .and_then(|session| session.in_flight.remove(&packet_id));
        let Some(in_flight) = in_flight else { return };
        if !code.is_failure() {
            in_flight.ack.mark_taken();
        }
        // A message that the client refuses is not sent again (MQTT-4.4.0-2).
        if let Some(session) = &mut self.session {
            session.stored.done.extend(in_flight.stored);
        }
    }

    /// Whether there are stored messages to delete.
    pub(super) fn has_done(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| !session.stored.done.is_empty())
    }

    /// Deletes the stored messages that the client has acknowledged.
    pub(super) async fn delete_stored(&mut self) {
        let Some(session) = &mut self.session else { return };
        let done = std::mem::take(&mut session.stored.done);
        if let Some(name) = session.inbox.durable_name().filter(|_| !done.is_empty()) {
            self.context.inbox.acknowledge_stored(name, done).await;
        }
    }

    /// Returns whether messages wait for the client, so that its time limit applies.
    pub(super) fn is_awaited(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| !session.in_flight.is_empty() || session.inbox.oldest().is_some())
    }

    /// Ends the connection if the client does not accept or acknowledge its messages.
    pub(super) fn check_acknowledgements(&mut self) -> Option<Close> {
        let session = self.session.as_ref()?;
        let in_flight = session.in_flight.values().filter(|one| one.ack.is_required());
        let oldest = in_flight.map(|one| (one.since, one.ack.blocks_others()));
        let queued = session.inbox.oldest();
        let is_late = oldest.chain(queued).any(|(since, blocks_others)| {
            let limit = if blocks_others {
                BLOCKING_ACK_TIMEOUT
            } else {
                ACK_TIMEOUT
            };
            since.elapsed() >= limit
        });
        if !is_late {
            return None;
        }
        let words = "the client does not take or acknowledge its messages";
        self.context.inbox.ban_client(&session.inbox);
        self.context.mqtt.log.cut_client(&self.name(), words);
        Some(self.server.disconnect(ReasonCode::QUOTA_EXCEEDED, Some(words)))
    }
}

/// The result of sending a message: its packet identifier at QoS 1.
type Sent = Option<Option<u16>>;

/// Sends a message. Returns `None` if the client must not get it.
fn send(
    server: &mut Server,
    session: &Session,
    queued: &QueuedMessage,
    is_own: bool,
    now: SystemTime,
) -> Result<Sent, NotDelivered> {
    let message = &queued.message;
    let topic = message.topic.as_str();
    let found = session.subscriptions.matching(topic, message.qos, false, is_own);
    // The subscription may have ended since the message was queued.
    let Some(found) = found else { return Ok(None) };
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
    match session.stored.is_sent(number) {
        true => server.redeliver(packet_id, &delivery)?,
        false => server.deliver_as(packet_id, &delivery)?,
    }
    Ok(Some(Some(packet_id)))
}

impl Session {
    /// Returns whether the message is one that this client published and AWS sends back. This matters only to subscriptions with No Local.
    fn is_own(&mut self, queued: &QueuedMessage) -> bool {
        let message = &queued.message;
        let Some(own) = self.own.as_mut().filter(|_| !message.retained) else {
            return false;
        };
        self.subscriptions.has_no_local(&message.topic)
            && own.contains(&message.topic, &message.payload, Instant::now())
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
}
