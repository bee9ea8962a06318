//! Publishes the messages of the outbox, and messages at QoS 0.
//!
//! A message of the outbox is sent within AWS's rate and receive window, and again until AWS has answered it. A message at QoS 0 is
//! sent at once or not at all. The steps are in modules of their own: `next` waits for the next message, `send` and `qos0` send it,
//! `answers` handles AWS's answer, and `disconnect` concludes what the end of a connection says about the messages in flight.

pub(super) mod answers;
pub(super) mod disconnect;
pub(super) mod next;
mod qos0;
pub(super) mod send;
#[cfg(test)]
mod tests;
mod unacknowledged;
mod unanswered;

use std::collections::{HashMap, VecDeque};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use self::unacknowledged::Unacknowledged;
use self::unanswered::{Kind, Unanswered};
use super::poison_detector::PoisonDetector;
use super::publish_rate::PublishRate;
use crate::cloud::mqtt::{NotSent, ReasonCode};
use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;
use crate::messages::{MessageRef, Outbox, Outgoing, Qos0Message, StoreError};
use crate::mqtt::ServerLimits;
use crate::problem::Problem;
use crate::qos::Qos;

/// AWS IoT accepts at most 100 unacknowledged messages on a connection.
const WINDOW: usize = 100;
/// Part of the window that is reserved for presence messages.
const RESERVED: usize = 4;
/// Reason for parking a message that makes AWS close the connection.
const DROPPED: &str = "AWS dropped the connection each time within a second of this message, and never without it";
/// Codes of a PUBACK that does not blame the message (developer guide, "MQTT 5 reason codes").
const TEMPORARY: [ReasonCode; 4] = [
    ReasonCode::UNSPECIFIED_ERROR,
    ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    // The next attempt has another packet identifier.
    ReasonCode::PACKET_ID_IN_USE,
    ReasonCode::QUOTA_EXCEEDED,
];

/// State of the publisher, which outlives connections.
#[derive(Debug)]
pub struct Publisher {
    outbox: Outbox,
    /// Signals that the outbox has new messages.
    news: watch::Receiver<()>,
    qos0_messages: mpsc::Receiver<Qos0Message>,
    rate: PublishRate,
    window: usize,
    /// Page of messages that is being read from the outbox.
    requested: Option<oneshot::Receiver<Result<Vec<Outgoing>, StoreError>>>,
    fetched: VecDeque<Outgoing>,
    /// Whether the outbox had nothing to send when it was last read, and nothing has changed since.
    is_drained: bool,
    /// Messages that earlier connections left unanswered; others are sent before them.
    deferred: VecDeque<Outgoing>,
    /// Next message at QoS 0.
    waiting: Option<Qos0Message>,
    /// Whether the connection accepts no message until it reports room.
    buffer_is_full: bool,
    /// Whether AWS accepts no further message until it has answered one.
    window_is_full: bool,
    /// Whether the broker acknowledges messages at all. If not, the messages of the outbox wait.
    acknowledges: bool,
    unacknowledged: Unacknowledged,
    unanswered: Unanswered,
    /// Messages in flight and the time of sending, by packet identifier.
    in_flight: HashMap<u16, (InFlight, Instant)>,
    last_sent: Instant,
    suspects: PoisonDetector<Suspect>,
    /// Number of temporary failures of each message.
    tries: HashMap<i64, u32>,
    /// Number of temporary failures in a row.
    failures: u32,
    /// Earliest time for the next message of the outbox.
    not_before: Instant,
    /// Whether a message was found that makes AWS close connections.
    made_progress: bool,
    /// Limits journal entries about parked messages.
    log_limiter: LogLimiter,
}

/// A message that was sent at QoS 1 and not answered yet.
#[derive(Debug)]
enum InFlight {
    Outgoing(MessageRef),
    /// A message at QoS 0 that is sent at QoS 1 this time, to get an answer.
    Qos0Message(Qos0Message),
}

/// A message, or kind of message, that may make AWS close the connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Suspect {
    /// A message of the outbox, by its ID.
    Outgoing(i64),
    Qos0Message(Kind),
}

impl InFlight {
    fn suspect(&self) -> Suspect {
        match self {
            Self::Outgoing(message) => Suspect::Outgoing(message.id),
            Self::Qos0Message(qos0) => Suspect::Qos0Message(Kind::of(&qos0.message)),
        }
    }
}

impl Publisher {
    /// Creates a publisher of the messages of `outbox` and of `qos0_messages`, with at most `rate` messages per second.
    pub fn new(outbox: Outbox, qos0_messages: mpsc::Receiver<Qos0Message>, rate: u32) -> Self {
        let now = Instant::now();
        Self {
            news: outbox.watch(),
            outbox,
            qos0_messages,
            rate: PublishRate::new(rate, now),
            window: 0,
            requested: None,
            fetched: VecDeque::new(),
            is_drained: false,
            deferred: VecDeque::new(),
            waiting: None,
            buffer_is_full: false,
            window_is_full: false,
            acknowledges: true,
            unacknowledged: Unacknowledged::default(),
            unanswered: Unanswered::default(),
            in_flight: HashMap::new(),
            last_sent: now,
            suspects: PoisonDetector::default(),
            tries: HashMap::new(),
            failures: 0,
            not_before: now,
            made_progress: false,
            log_limiter: LogLimiter::default(),
        }
    }

    /// Sets the maximum number of messages per second.
    pub(super) fn set_rate(&mut self, rate: u32) {
        self.rate = PublishRate::new(rate, Instant::now());
    }

    /// Starts with a new connection.
    pub(super) fn connected(&mut self, limits: &ServerLimits) {
        self.acknowledges = limits.maximum_qos > Qos::AtMostOnce;
        self.outbox.set_packet_limit(limits.maximum_packet_size);
        self.window = usize::from(limits.receive_maximum)
            .min(WINDOW)
            .saturating_sub(RESERVED)
            .max(1);
        self.suspects.connected();
        self.unacknowledged.connected();
        // Messages at QoS 0 from the time without a connection are late, and their senders no longer wait.
        while let Ok(late) = self.qos0_messages.try_recv() {
            let _ = late.sent.send(Err(Problem::wait("the MQTT session was not connected")));
        }
    }

    /// Records a failed attempt to connect.
    pub(super) fn connect_failed(&mut self) {
        self.suspects.connect_failed();
    }

    /// Returns whether AWS has not answered some messages yet.
    pub(super) fn has_unacknowledged(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Records that the connection accepts messages again.
    pub(super) fn room(&mut self) {
        self.buffer_is_full = false;
    }

    /// Records that AWS has answered a message, also one of another sender, so that its receive window has room.
    pub(super) fn window_moved(&mut self) {
        self.window_is_full = false;
        self.unacknowledged.acknowledged_something();
    }

    /// Records a received message, which counts towards AWS's rate.
    pub(super) fn received(&mut self) {
        self.rate.receive(Instant::now());
    }

    /// Returns whether a message that makes AWS close connections was found since the last call.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.made_progress)
    }

    /// Returns whether messages of the outbox are sent one at a time. A suspect at QoS 0 does not matter here, because it may never be sent
    /// again.
    fn one_at_a_time(&self) -> bool {
        self.suspects.any(|suspect| matches!(suspect, Suspect::Outgoing(_)))
    }

    /// Records that a message was sent, and that AWS will answer it.
    fn record_in_flight(&mut self, packet_id: u16, message: InFlight) {
        self.last_sent = Instant::now();
        self.in_flight.insert(packet_id, (message, self.last_sent));
    }

    /// Records why the connection accepts no message now, so that the next one waits until that changes.
    fn record_not_sent(&mut self, why: &NotSent) {
        self.buffer_is_full |= *why == NotSent::BufferFull;
        self.window_is_full |= *why == NotSent::WindowFull;
        self.acknowledges &= *why != NotSent::AtMostOnceOnly;
    }

    /// Counts a sent message towards AWS's rate.
    fn count_sent(&mut self) {
        self.rate.send(Instant::now());
    }

    /// Parks a message.
    async fn park(&mut self, message: MessageRef, reason: String) {
        self.tries.remove(&message.id);
        self.unacknowledged.forget(message.id);
        self.suspects.cleared(&Suspect::Outgoing(message.id));
        let (id, topic) = (message.id, message.topic.as_str());
        self.log_limiter.write(|level, more| {
            journal!(
                level, Event::MessageParked, TOPIC = topic;
                "outbox: message {id} on {topic} is parked: {reason}; next: gatepost outbox show {id}{more}"
            );
        });
        self.is_drained = false;
        self.outbox.park(message, reason).await;
    }
}
