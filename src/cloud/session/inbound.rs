//! Passes messages from AWS to the inbox, and returns their acknowledgements in order.
//!
//! A message that no program and no durable subscription has taken is refused. AWS does not send it again (MQTT-4.4.0-2), and
//! need not tell the sender of a direct message that it was delivered.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::not_taken::NotTakenCount;
use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;
use crate::messages::{AckGuard, AckOutcome, Received, SessionEvent};
use crate::mqtt::ReasonCode;

/// Number of unacknowledged messages at which AWS IoT sends no more (quotas, "Maximum inbound unacknowledged QoS 1 publish
/// requests", which applies in both directions).
const MAX_UNACKNOWLEDGED: usize = 100;

/// Number of waiting events at which messages at QoS 0 are dropped.
const MAX_WAITING: usize = 256;
/// Bytes of waiting messages at which messages at QoS 0 are dropped.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// Answer to a message that nobody has taken: "The PUBLISH is valid but the receiver is not willing to accept it" (MQTT 5.0, table
/// 3-4). Only a server may answer that there is no matching subscriber.
const NOT_TAKEN: ReasonCode = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;

/// The queue of events for the inbox, and the acknowledgements of their messages.
#[derive(Debug)]
pub(super) struct Inbound {
    events: mpsc::Sender<SessionEvent>,
    /// Events that the inbox does not have yet. The number of messages at QoS 1 is limited by [`MAX_UNACKNOWLEDGED`].
    waiting: VecDeque<SessionEvent>,
    /// Messages in the order of arrival, in which they must be acknowledged (MQTT 5.0, 4.6).
    unacknowledged: VecDeque<Unacknowledged>,
    /// Whether AWS waits for an acknowledgement before it sends more.
    is_full: Arc<AtomicBool>,
    /// The outcomes of messages in the inbox.
    outcomes: (mpsc::UnboundedSender<AckOutcome>, mpsc::UnboundedReceiver<AckOutcome>),
    /// Number of messages that nobody has taken.
    pub(super) not_taken: NotTakenCount,
    /// Limits journal entries about lost messages.
    log_limiter: LogLimiter,
}

/// A message that is not acknowledged yet.
#[derive(Debug)]
struct Unacknowledged {
    packet_id: u16,
    topic: String,
    /// The code of its acknowledgement, once it is due.
    code: Option<ReasonCode>,
}

impl Inbound {
    /// Creates a queue that passes events to `events`.
    pub(super) fn new(events: mpsc::Sender<SessionEvent>) -> Self {
        Self {
            events,
            waiting: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            is_full: Arc::default(),
            outcomes: mpsc::unbounded_channel(),
            not_taken: NotTakenCount::default(),
            log_limiter: LogLimiter::default(),
        }
    }

    /// Handles the end of the connection. AWS will send unacknowledged messages again.
    pub(super) fn disconnected(&mut self) {
        self.unacknowledged.clear();
        self.update_is_full();
        // Packet identifiers of this connection are not valid on the next one.
        self.outcomes = mpsc::unbounded_channel();
        // Messages at QoS 0 are kept, because AWS does not send them again.
        self.waiting
            .retain(|event| !matches!(event, SessionEvent::Message(_, guard) if guard.connection_lost()));
    }

    /// Queues a message for the inbox, which gets it with the next call of [`pass_on`](Self::pass_on).
    pub(super) fn received(&mut self, packet_id: Option<u16>, message: Received) {
        let guard = match packet_id {
            Some(packet_id) => {
                self.add_unacknowledged(packet_id, &message.topic, None);
                AckGuard::new(packet_id, self.outcomes.0.clone(), self.is_full.clone())
            }
            None => AckGuard::none(),
        };
        // A message at QoS 0 may be lost, and must not fill the memory if messages arrive too fast.
        if packet_id.is_none() && !self.has_room_for_qos0() {
            self.pass_on();
            if !self.has_room_for_qos0() {
                return self.log_lost(&message.topic, "too many wait for the programs");
            }
        }
        self.waiting.push_back(SessionEvent::Message(message, guard));
    }

    /// Returns whether a message at QoS 0 may wait for the inbox. Retained messages arrive right after SUBACK, and must not be lost because
    /// the event of the SUBACK still waits.
    fn has_room_for_qos0(&self) -> bool {
        let size = |event: &SessionEvent| match event {
            SessionEvent::Message(message, _) => message.payload.len() + message.properties.size(),
            _ => 0,
        };
        self.waiting.len() < MAX_WAITING && self.waiting.iter().map(size).sum::<usize>() < MAX_WAITING_BYTES
    }

    /// Passes queued events to the inbox, as far as it has room. [`acknowledgements`](Self::acknowledgements) passes on the rest.
    pub(super) fn pass_on(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(error) = self.events.try_send(event) {
                return self.waiting.push_front(error.into_inner());
            }
        }
    }

    /// Records a skipped message. It is acknowledged in order, with a failure.
    pub(super) fn skipped(&mut self, packet_id: Option<u16>, topic: &str, why: &str) {
        self.log_lost(topic, why);
        if let Some(packet_id) = packet_id {
            self.add_unacknowledged(packet_id, topic, Some(ReasonCode::QUOTA_EXCEEDED));
            // If it is the oldest one, it is due now.
            let _ = self.outcomes.0.send(AckOutcome {
                packet_id,
                is_taken: false,
            });
        }
    }

    fn add_unacknowledged(&mut self, packet_id: u16, topic: &str, code: Option<ReasonCode>) {
        self.unacknowledged.push_back(Unacknowledged {
            packet_id,
            topic: topic.to_owned(),
            code,
        });
        self.update_is_full();
    }

    fn log_lost(&mut self, topic: &str, why: &str) {
        self.log_limiter.write(|level, more| {
            journal!(
                level, Event::MessageSkipped, TOPIC = topic;
                "inbox: a message on {topic} was refused, and is lost: {why}{more}"
            );
        });
    }

    /// Passes an event other than a message to the inbox.
    pub(super) fn tell(&mut self, event: SessionEvent) {
        self.waiting.push_back(event);
        self.pass_on();
    }

    /// Sends waiting events as the inbox gets room, and returns the messages to acknowledge, with the code of each. Cancel
    /// safe.
    pub(super) async fn acknowledgements(&mut self) -> Vec<(u16, ReasonCode)> {
        loop {
            let outcome = tokio::select! {
                permit = self.events.reserve(), if !self.waiting.is_empty() => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(event)) => {
                        permit.send(event);
                        continue;
                    }
                    // The daemon shuts down.
                    _ => pending().await,
                },
                Some(outcome) = self.outcomes.1.recv() => outcome,
            };
            let mut due = self.due(outcome);
            // A program acknowledges many messages at once. Their acknowledgements to AWS then share a write.
            while let Ok(outcome) = self.outcomes.1.try_recv() {
                due.extend(self.due(outcome));
            }
            if !due.is_empty() {
                return due;
            }
        }
    }

    /// Records what became of a message, and returns the acknowledgements that are due.
    fn due(&mut self, outcome: AckOutcome) -> Vec<(u16, ReasonCode)> {
        let waiting = self
            .unacknowledged
            .iter_mut()
            .find(|message| message.packet_id == outcome.packet_id && message.code.is_none());
        if let Some(message) = waiting {
            message.code = Some(match outcome.is_taken {
                true => ReasonCode::SUCCESS,
                false => {
                    self.not_taken.add(&message.topic);
                    NOT_TAKEN
                }
            });
        }
        let mut due = Vec::new();
        while let Some((packet_id, code)) = self
            .unacknowledged
            .front()
            .and_then(|message| Some((message.packet_id, message.code?)))
        {
            due.push((packet_id, code));
            self.unacknowledged.pop_front();
        }
        self.update_is_full();
        due
    }

    fn update_is_full(&self) {
        let is_full = self.unacknowledged.len() >= MAX_UNACKNOWLEDGED;
        self.is_full.store(is_full, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
