//! From the outbox to AWS: at AWS's pace, no more under way than it allows, and each message until AWS has answered it
//! (`answers`). Beside it what is sent at once or not at all (`direct`).

mod answers;
mod direct;
mod ending;
mod next;
#[cfg(test)]
mod tests;
mod unacknowledged;
mod unanswered;

use std::collections::{HashMap, VecDeque};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub(super) use self::next::Next;
use self::unacknowledged::Unacknowledged;
use self::unanswered::{Kind, Unanswered};
use super::poison_detector::PoisonDetector;
use super::problems;
use super::publish_rate::PublishRate;
use crate::cloud::mqtt::{NotSent, PacketSink, ReasonCode};
use crate::log_limiter::LogLimiter;
use crate::messages::{MessageRef, Outbox, Outgoing, Qos0Message, StoreError};
use crate::mqtt::ServerLimits;
use crate::problem::Problem;
use crate::qos::Qos;

/// AWS IoT: at most 100 unacknowledged messages of a connection.
const WINDOW: usize = 100;
/// Presence and the farewell are published beside the outbox and need a place.
const SPARE: usize = 4;
/// Why a message is not sent any more.
const DROPPED: &str = "AWS dropped the connection each time within a second of this message, and never without it";
/// A DISCONNECT that is about a message at quality of service 0: not authorized, topic name invalid, payload format invalid.
/// One at quality of service 1 is answered so by PUBACK.
const ANSWERED_OTHERWISE: [ReasonCode; 3] = [
    ReasonCode::NOT_AUTHORIZED,
    ReasonCode::TOPIC_NAME_INVALID,
    ReasonCode::PAYLOAD_FORMAT_INVALID,
];

/// The publisher, through all connections.
#[derive(Debug)]
pub struct Publisher {
    outbox: Outbox,
    news: watch::Receiver<()>,
    direct: mpsc::Receiver<Qos0Message>,
    pace: PublishRate,
    window: usize,
    asked: Option<oneshot::Receiver<Result<Vec<Outgoing>, StoreError>>>,
    fetched: VecDeque<Outgoing>,
    /// Those that earlier connections have left unanswered: others go first.
    deferred: VecDeque<Outgoing>,
    /// The next one at quality of service 0.
    waiting: Option<Qos0Message>,
    /// The connection takes no message until it says so.
    buffer_is_full: bool,
    /// AWS takes no more unacknowledged messages before it has answered one.
    window_is_full: bool,
    /// Whether the broker acknowledges messages at all; those of the outbox wait where it does not.
    acknowledges: bool,
    unacknowledged: Unacknowledged,
    unanswered: Unanswered,
    /// By packet identifier, with when it was sent.
    under_way: HashMap<u16, (UnderWay, Instant)>,
    last_sent: Instant,
    suspects: PoisonDetector<Suspect>,
    tries: HashMap<i64, u32>,
    too_much: u32,
    not_before: Instant,
    /// A message that drops connections was found.
    found_one: bool,
    /// Of what was parked.
    lines: LogLimiter,
}

/// Sent at quality of service 1.
#[derive(Debug)]
enum UnderWay {
    Outgoing(MessageRef),
    /// One at quality of service 0 that is to be answered this time.
    Qos0Message(Qos0Message),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Suspect {
    /// By its number.
    Outgoing(i64),
    Qos0Message(Kind),
}

impl UnderWay {
    fn suspect(&self) -> Suspect {
        match self {
            Self::Outgoing(ticket) => Suspect::Outgoing(ticket.id),
            Self::Qos0Message(direct) => Suspect::Qos0Message(Kind::of(&direct.message)),
        }
    }
}

impl Publisher {
    /// Sets how many messages go in a second at the most, from now on.
    pub(super) fn set_rate(&mut self, rate: u32) {
        self.pace = PublishRate::new(rate, Instant::now());
    }

    /// A publisher of `outbox` and of what comes directly, with at most `rate` messages a second.
    pub fn new(outbox: Outbox, direct: mpsc::Receiver<Qos0Message>, rate: u32) -> Self {
        let now = Instant::now();
        Self {
            news: outbox.watch(),
            outbox,
            direct,
            pace: PublishRate::new(rate, now),
            window: 0,
            asked: None,
            fetched: VecDeque::new(),
            deferred: VecDeque::new(),
            waiting: None,
            buffer_is_full: false,
            window_is_full: false,
            acknowledges: true,
            unacknowledged: Unacknowledged::default(),
            unanswered: Unanswered::default(),
            under_way: HashMap::new(),
            last_sent: now,
            suspects: PoisonDetector::default(),
            tries: HashMap::new(),
            too_much: 0,
            not_before: now,
            found_one: false,
            lines: LogLimiter::default(),
        }
    }

    /// A connection to a server that takes so much.
    pub(super) fn connected(&mut self, limits: &ServerLimits) {
        self.acknowledges = limits.maximum_qos > Qos::AtMostOnce;
        self.outbox.set_packet_limit(limits.maximum_packet_size);
        self.window = usize::from(limits.receive_maximum)
            .min(WINDOW)
            .saturating_sub(SPARE)
            .max(1);
        self.suspects.connected();
        self.unacknowledged.connected();
        // What somebody wanted to be sent at once while there was no connection was answered, or nobody waits for it.
        while let Ok(late) = self.direct.try_recv() {
            let _ = late.sent.send(Err(Problem::wait("the MQTT session was not connected")));
        }
    }

    /// An attempt to connect has failed.
    pub(super) fn not_reached(&mut self) {
        self.suspects.not_reached();
    }

    /// Whether AWS has yet to acknowledge something.
    pub(super) fn anything_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// The connection takes messages again.
    pub(super) fn room(&mut self) {
        self.buffer_is_full = false;
    }

    /// AWS has answered a message, whose ever it was: it takes one more.
    pub(super) fn window_moved(&mut self) {
        self.window_is_full = false;
        self.unacknowledged.acknowledged_something();
    }

    /// Whether messages of the outbox go one at a time. A suspect at quality of service 0 may never come again, and holds up
    /// nothing while it does not.
    fn one_at_a_time(&self) -> bool {
        self.suspects.any(|suspect| matches!(suspect, Suspect::Outgoing(_)))
    }

    /// Sends it.
    pub(super) async fn send(&mut self, next: Next, sink: &mut dyn PacketSink) {
        let outgoing = match next {
            Next::Qos0Message => return self.send_direct(sink),
            Next::Outgoing => self.fetched.pop_front(),
            Next::Deferred => self.deferred.pop_front(),
        };
        let Some(outgoing) = outgoing else { return };
        if self.unacknowledged.is_guilty(outgoing.ticket.id) {
            self.found_one = true;
            return self
                .park(outgoing.ticket, problems::NEVER_ACKNOWLEDGED.to_owned())
                .await;
        }
        if self.is_to_be_deferred(&outgoing) {
            return self.deferred.push_back(outgoing);
        }
        let suspect = Suspect::Outgoing(outgoing.ticket.id);
        if self.suspects.is_guilty(&suspect) {
            self.found_one = true;
            return self.park(outgoing.ticket, DROPPED.to_owned()).await;
        }
        if !self.suspects.is_suspected(&suspect) {
            // What was under way comes again first, in the order of the numbers.
            self.suspects.forget_before(&suspect);
        }
        match sink.publish(&outgoing.message) {
            Ok(packet_id) => {
                self.spent();
                self.is_under_way(packet_id, UnderWay::Outgoing(outgoing.ticket));
            }
            Err(why @ (NotSent::BufferFull | NotSent::WindowFull | NotSent::AtMostOnceOnly)) => {
                self.not_now(&why);
                self.fetched.push_front(outgoing);
            }
            Err(NotSent::Never(why)) => self.park(outgoing.ticket, why).await,
        }
    }

    /// Whether others go before a message: earlier connections have left it unanswered, or one before it on its topic.
    fn is_to_be_deferred(&mut self, outgoing: &Outgoing) -> bool {
        if self.deferred.len() >= WINDOW {
            self.unacknowledged.end_deferral();
        }
        let is_behind =
            |other: &Outgoing| other.ticket.topic == outgoing.ticket.topic && other.ticket.id < outgoing.ticket.id;
        self.unacknowledged.deferred_until(outgoing.ticket.id).is_some() || self.deferred.iter().any(is_behind)
    }

    /// A message is sent, and AWS is to answer it.
    fn is_under_way(&mut self, packet_id: u16, under_way: UnderWay) {
        self.last_sent = Instant::now();
        self.under_way.insert(packet_id, (under_way, self.last_sent));
    }

    /// The connection takes no message now; the next one waits until that has changed.
    fn not_now(&mut self, why: &NotSent) {
        self.buffer_is_full |= *why == NotSent::BufferFull;
        self.window_is_full |= *why == NotSent::WindowFull;
        self.acknowledges &= *why != NotSent::AtMostOnceOnly;
    }

    /// Whether a message that drops connections was found since this was asked the last time.
    pub(super) fn has_found_one(&mut self) -> bool {
        std::mem::take(&mut self.found_one)
    }

    /// A message goes.
    fn spent(&mut self) {
        self.pace.send(Instant::now());
    }

    /// A message has come, which counts as well.
    pub(super) fn received(&mut self) {
        self.pace.receive(Instant::now());
    }
}
