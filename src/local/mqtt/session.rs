//! The session of a client whose CONNECT was accepted: its messages to AWS, its subscriptions, and the messages that it receives.

use tokio::time::Instant;

use super::deliver::{CHECK_INTERVAL, Deliveries};
use super::principal::Principal;
use super::publish::Publisher;
use super::subscribe::ClientSubscriptions;
use crate::mqtt::packet::{Publish, Subscribe, Unsubscribe};
use crate::mqtt::{Close, ReasonCode, Server};

/// The session of a connected client. Its answers go to the connection's [`Server`].
pub(super) struct Session {
    pub(super) principal: Principal,
    pub(super) publisher: Publisher,
    pub(super) subscriptions: ClientSubscriptions,
    pub(super) deliveries: Deliveries,
    /// Time until which no packet is read, because the client sends too fast.
    pub(super) pause: Option<Instant>,
}

impl Session {
    /// Sends the answers that are due, and messages. Returns the end of the connection if the client loses a filter that it was granted.
    pub(super) fn send_due(&mut self, server: &mut Server, now: Instant) -> Option<Close> {
        self.publisher.answer_stored(&self.principal, server);
        if let Some(close) = self.subscriptions.handle_events(&self.principal, server) {
            return Some(close);
        }
        self.subscriptions.subacks.send_due(server, now);
        self.deliveries.send(&self.principal, &mut self.subscriptions, server);
        None
    }

    /// Handles PUBLISH.
    pub(super) fn publish(&mut self, publish: Publish, server: &mut Server) {
        let filters = &mut self.subscriptions.filters;
        self.publisher.publish(publish, &self.principal, filters, server);
    }

    /// Handles PUBACK.
    pub(super) fn acknowledge(&mut self, packet_id: u16, code: ReasonCode) {
        self.deliveries.acknowledge(packet_id, code);
    }

    /// Handles SUBSCRIBE.
    pub(super) async fn subscribe(&mut self, subscribe: Subscribe, server: &mut Server) {
        self.subscriptions.subscribe(subscribe, &self.principal).await;
        self.subscriptions.subacks.send_due(server, Instant::now());
    }

    /// Handles UNSUBSCRIBE.
    pub(super) async fn unsubscribe(&mut self, unsubscribe: &Unsubscribe, server: &mut Server) {
        let answers = self.subscriptions.unsubscribe(unsubscribe, &self.principal).await;
        server.unsuback(unsubscribe.packet_id, &answers);
    }

    /// Deletes the stored messages that the client has acknowledged.
    pub(super) async fn delete_stored(&mut self) {
        let done = self.deliveries.take_done();
        if let Some(name) = self.subscriptions.inbox.durable_name().filter(|_| !done.is_empty()) {
            self.principal.context.inbox.acknowledge_stored(name, done).await;
        }
    }

    /// Slows down reading from a client that sends more packets than its account may.
    pub(super) fn pace(&mut self, packets: u32, now: Instant) {
        let Principal { context, caller, .. } = &self.principal;
        let delay = context.rate_limiter.packet_delay(caller, packets);
        self.pause = (!delay.is_zero()).then(|| now + delay);
    }

    /// Returns whether nothing is read, because the client sends too fast.
    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.pause.is_some_and(|end| end > now)
    }

    /// Returns when something is due next.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let is_awaited = self.deliveries.is_awaited(&self.subscriptions.inbox);
        let times = [
            self.subscriptions.subacks.deadline(),
            self.pause.filter(|end| *end > now),
            is_awaited.then(|| now + CHECK_INTERVAL),
        ];
        times.into_iter().flatten().min()
    }

    /// Ends the connection if the client does not accept or acknowledge its messages.
    pub(super) fn check_acknowledgements(&self, server: &mut Server, now: Instant) -> Option<Close> {
        let inbox = &self.subscriptions.inbox;
        if !self.deliveries.is_late(inbox.oldest(), now) {
            return None;
        }
        let words = "the client does not take or acknowledge its messages";
        let Principal { context, name, .. } = &self.principal;
        context.inbox.ban_client(inbox);
        context.mqtt.log.cut_client(name, words);
        Some(server.disconnect(ReasonCode::QUOTA_EXCEEDED, Some(words)))
    }
}
