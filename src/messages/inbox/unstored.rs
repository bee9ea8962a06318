//! Queue of messages for durable subscriptions that the disk has not accepted. They are not acknowledged, so AWS keeps them.
//!
//! AWS sends at most 100 unacknowledged messages for all subscriptions together, and keeps a message for at most an hour.
//! Acknowledgements are sent in the order of the messages (MQTT 5.0, 4.6). So these messages eventually block the messages
//! for all other programs. When they have blocked them for a while, the oldest are given up and logged as lost.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ack::AckGuard;
use crate::messages::message::Received;

/// How long the disk may be unusable before messages that block others are given up.
pub(super) const BLOCKING_TIME: Duration = Duration::from_secs(60);
/// Messages that are given up at once: AWS sends the queued messages of a persistent session no faster.
const MAX_GIVEN_UP: usize = 10;

/// A message that is to be stored.
#[derive(Clone, Debug)]
pub(super) struct PendingMessage {
    sequence: u64,
    pub(super) message: Arc<Received>,
    /// The durable subscriptions that are to store it, once they are known.
    pub(super) names: Option<Arc<Vec<String>>>,
    ack: AckGuard,
}

impl PendingMessage {
    /// Returns whether AWS keeps the message until it is acknowledged.
    pub(super) fn can_wait(&self) -> bool {
        self.ack.is_required()
    }

    /// Records that the disk has the message.
    pub(super) fn mark_taken(&self) {
        self.ack.mark_taken();
    }
}

/// Queue of messages that are not stored yet, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Unstored {
    queue: RefCell<VecDeque<PendingMessage>>,
    sequence: Cell<u64>,
    /// Since when the disk has accepted nothing.
    blocked_since: Cell<Option<Instant>>,
    /// Number of lost messages that the status does not show yet.
    lost: Cell<u64>,
    changed: Notify,
}

impl Unstored {
    /// Numbers a message that has just arrived.
    pub(super) fn number(
        &self,
        message: Arc<Received>,
        names: Option<Arc<Vec<String>>>,
        ack: AckGuard,
    ) -> PendingMessage {
        self.sequence.set(self.sequence.get() + 1);
        PendingMessage {
            sequence: self.sequence.get(),
            message,
            names,
            ack,
        }
    }

    /// Returns whether the message has to wait for earlier ones. Messages without acknowledgement do not wait.
    pub(super) fn must_wait(&self, pending: &PendingMessage) -> bool {
        pending.can_wait() && !self.queue.borrow().is_empty()
    }

    /// Adds a message to the queue. A QoS 0 message cannot wait, because AWS does not keep it.
    pub(super) fn push(&self, pending: PendingMessage) {
        if !pending.can_wait() {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        let position = queue.partition_point(|other| other.sequence < pending.sequence);
        queue.insert(position, pending);
        self.blocked_since
            .set(self.blocked_since.get().or(Some(Instant::now())));
        self.changed.notify_one();
    }

    /// Determines the subscriptions of messages that arrived before these were known.
    pub(super) fn resolve_names(&self, names: impl Fn(&Received) -> Vec<String>) {
        for pending in &mut *self.queue.borrow_mut() {
            let names = || Arc::new(names(&pending.message));
            pending.names.get_or_insert_with(names);
        }
        self.changed.notify_one();
    }

    /// Returns the first message. Messages of lost connections are removed, because AWS sends them again.
    pub(super) fn first(&self) -> Option<PendingMessage> {
        let mut queue = self.queue.borrow_mut();
        queue.retain(|pending| !pending.ack.connection_lost());
        queue.front().cloned()
    }

    /// Removes a message that is stored now.
    pub(super) fn remove(&self, pending: &PendingMessage) {
        self.queue
            .borrow_mut()
            .retain(|other| other.sequence != pending.sequence);
        self.blocked_since.set(Some(Instant::now()));
    }

    /// Records that the disk is usable, because the queue is empty.
    pub(super) fn clear_blocked(&self) {
        self.blocked_since.set(None);
    }

    /// Removes and returns the oldest messages if they have blocked others for too long.
    pub(super) fn give_up(&self) -> Vec<PendingMessage> {
        let mut queue = self.queue.borrow_mut();
        let is_long = self
            .blocked_since
            .get()
            .is_some_and(|since| since.elapsed() >= BLOCKING_TIME);
        let blocks_others = queue.front().is_some_and(|pending| pending.ack.blocks_others());
        let count = if is_long && blocks_others {
            MAX_GIVEN_UP.min(queue.len())
        } else {
            0
        };
        queue.drain(..count).collect()
    }

    /// Waits until a message was added, or subscriptions have become known.
    pub(super) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// Counts lost messages that the status does not show yet.
    pub(super) fn add_lost(&self, count: u64) {
        self.lost.set(self.lost.get().saturating_add(count));
    }

    /// Returns the number of lost messages that the status does not show yet, and resets it.
    pub(super) fn take_lost(&self) -> u64 {
        self.lost.take()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn messages_are_queued_in_the_order_of_their_arrival() {
        let queue = Unstored::default();
        let (session, _acknowledged) = mpsc::unbounded_channel();
        let one = |packet_id| {
            let ack = AckGuard::new(packet_id, session.clone(), Arc::default());
            queue.number(
                Arc::new(Received {
                    qos: crate::qos::Qos::AtLeastOnce,
                    ..Received::default()
                }),
                None,
                ack,
            )
        };
        let [first, second, third] = [1, 2, 3].map(one);
        let sequences = [first.sequence, second.sequence, third.sequence];
        assert!(!queue.must_wait(&first));
        // A message that failed to be stored is queued after messages that waited for it.
        queue.push(third);
        queue.push(first);
        queue.push(second);
        assert!(queue.must_wait(&one(4)));
        let order: Vec<u64> = queue.queue.borrow().iter().map(|pending| pending.sequence).collect();
        assert_eq!(order, sequences);
    }
}
