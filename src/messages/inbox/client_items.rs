//! The items in the queue of an MQTT client: messages, and events about its filters.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::ack::AckGuard;
use super::filters::RETAINED_TIME;
use crate::messages::message::Received;
use crate::problem::Problem;
use crate::qos::Qos;

/// A message that waits for its client.
#[derive(Clone, Debug)]
pub struct QueuedMessage {
    /// The message.
    pub message: Arc<Received>,
    /// Kept until the client has the message.
    pub ack: AckGuard,
    /// The number under which the session has stored it, and when that was.
    pub stored: Option<(i64, SystemTime)>,
    /// When it was queued.
    pub since: Instant,
}

/// An event about a filter of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterEvent {
    /// AWS has granted it.
    Granted(String),
    /// AWS has refused it.
    Refused(String, Problem),
    /// No rule allows it any more.
    NotAllowed(String),
    /// The session was deleted, by an operator or because the store lost it.
    Deleted,
    /// The database cannot be read.
    Unusable(Problem),
}

/// A filter of the client, as the inbox needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientFilter {
    pub(super) qos: Qos,
    /// Sequence number, as in [`Stream::sequence`](super::stream::Stream).
    pub(super) sequence: u64,
    /// When AWS accepted the subscription, by the boottime clock.
    pub(super) confirmed: Option<Duration>,
    /// Whether the client wants the retained messages that AWS has at the time of the subscription.
    pub(super) wants_retained: bool,
}

impl ClientFilter {
    /// Returns whether the retained messages for this filter may still arrive.
    pub(super) fn expects_retained(&self, now: Duration) -> bool {
        self.wants_retained
            && self
                .confirmed
                .is_none_or(|then| now.saturating_sub(then) < RETAINED_TIME)
    }
}

impl QueuedMessage {
    /// Returns whether nothing else limits the number of such messages.
    pub(super) fn is_unbounded(&self) -> bool {
        self.stored.is_none() && !self.ack.is_required()
    }

    pub(super) fn size(&self) -> usize {
        self.message.topic.len() + self.message.payload.len() + self.message.properties.size()
    }
}
