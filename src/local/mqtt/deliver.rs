//! Messages to clients, and clients that do not take them.

use std::time::Duration;

use tokio::time::Instant;

use super::client::{Client, InFlight};
use super::counts::count;
use crate::mqtt::{Close, Delivery, NotDelivered, ReasonCode};

/// A client is cut off if it has not acknowledged a message for this long: AWS gets its acknowledgements in the order of the
/// messages, so that those of other programs wait for this one.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);
/// The same while AWS sends nothing to any program until a message is acknowledged.
const BLOCKING_ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at these.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Client {
    /// Sends messages from the inbox, as many as the client accepts now.
    pub(super) fn deliver(&mut self) {
        let Some(session) = &mut self.session else { return };
        while let Some(queued) = session.inbox.next_message() {
            let message = &queued.message;
            let found = session
                .subscriptions
                .matching(&message.topic, message.qos, false, false);
            // The subscription may have ended since the message was queued.
            let Some(found) = found else { continue };
            let delivery = Delivery {
                topic: &message.topic,
                qos: found.qos,
                // AWS clears the flag of what it sends because of an earlier subscription.
                retain: message.retained,
                subscription_identifiers: &found.identifiers,
                properties: &message.properties,
                payload: &message.payload,
            };
            match self.server.deliver(&delivery) {
                Ok(packet_id) => {
                    count(&self.context.mqtt.log.counts.delivered);
                    match packet_id {
                        Some(packet_id) => {
                            let (ack, since) = (queued.ack, Instant::now());
                            session.in_flight.insert(packet_id, InFlight { ack, since });
                        }
                        None => queued.ack.mark_taken(),
                    }
                }
                Err(NotDelivered::TooLarge) => {
                    let why = "it accepts no packet of that size";
                    self.context.mqtt.log.drop_delivery(&session.name, why);
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
            self.context.mqtt.log.drop_delivery(&session.name, why);
            super::counts::add(
                &self.context.mqtt.log.counts.delivery_dropped,
                dropped - session.dropped - 1,
            );
            session.dropped = dropped;
        }
    }

    /// Handles PUBACK. A client that answers with a failure does not have the message.
    pub(super) fn acknowledged(&mut self, packet_id: u16, code: ReasonCode) {
        let in_flight = self
            .session
            .as_mut()
            .and_then(|session| session.in_flight.remove(&packet_id));
        if let Some(in_flight) = in_flight.filter(|_| !code.is_failure()) {
            in_flight.ack.mark_taken();
        }
    }

    /// Whether messages wait for the client, so that its time runs.
    pub(super) fn is_awaited(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| !session.in_flight.is_empty() || session.inbox.oldest().is_some())
    }

    /// Ends the connection if the client does not take or acknowledge its messages.
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
