//! Messages from AWS on their way to the inbox, and their acknowledgements on the way back.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;
use crate::messages::{AckGuard, Received, SessionEvent};

/// AWS IoT sends no more before we have acknowledged something (quotas, "Maximum inbound unacknowledged QoS 1 publish
/// requests", the same the other way).
const MOST_UNACKNOWLEDGED: usize = 100;

/// With so much that waits for the inbox, messages at quality of service 0 are dropped.
const MOST_WAITING: usize = 256;
/// The same in bytes.
const MOST_WAITING_BYTES: usize = 1024 * 1024;

/// The way to the inbox.
#[derive(Debug)]
pub(super) struct Inbound {
    arrive: mpsc::Sender<SessionEvent>,
    /// Messages and news that the inbox has no room for at the moment; AWS sends no more than [`MOST_UNACKNOWLEDGED`].
    waiting: VecDeque<SessionEvent>,
    /// Acknowledgements in the order in which the messages came (MQTT 5.0, 4.6), and whether they are due.
    unacknowledged: VecDeque<(u16, bool)>,
    /// Whether AWS waits for one of them before it sends more.
    crowded: Arc<AtomicBool>,
    taken: (mpsc::UnboundedSender<u16>, mpsc::UnboundedReceiver<u16>),
    /// Limits the lines about messages that were lost.
    lines: LogLimiter,
}

impl Inbound {
    pub(super) fn new(arrive: mpsc::Sender<SessionEvent>) -> Self {
        Self {
            arrive,
            waiting: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            crowded: Arc::default(),
            taken: mpsc::unbounded_channel(),
            lines: LogLimiter::default(),
        }
    }

    /// The connection is gone: AWS sends again what it has no acknowledgement for.
    pub(super) fn disconnected(&mut self) {
        self.unacknowledged.clear();
        self.note_whether_crowded();
        // Acknowledgements of this connection's messages mean nothing on the next one.
        self.taken = mpsc::unbounded_channel();
        // At quality of service 0 nothing comes again.
        self.waiting
            .retain(|arrival| !matches!(arrival, SessionEvent::Message(_, taken) if taken.connection_lost()));
    }

    /// A message has come.
    pub(super) fn received(&mut self, packet_id: Option<u16>, message: Received) {
        let taken = match packet_id {
            Some(packet_id) => {
                self.unacknowledged.push_back((packet_id, false));
                self.note_whether_crowded();
                AckGuard::new(packet_id, self.taken.0.clone(), self.crowded.clone())
            }
            None => AckGuard::none(),
        };
        let arrival = SessionEvent::Message(message, taken);
        self.hand_on();
        let arrival = match self.waiting.is_empty() {
            true => self
                .arrive
                .try_send(arrival)
                .err()
                .map(mpsc::error::TrySendError::into_inner),
            false => Some(arrival),
        };
        let Some(arrival) = arrival else { return };
        // At quality of service 0 a message may be lost, and memory is not for those that come too fast.
        match arrival {
            SessionEvent::Message(message, _) if packet_id.is_none() && !self.has_room_for_unacknowledged() => {
                self.say_lost(&message.topic, "too many wait for the programs");
            }
            arrival => self.waiting.push_back(arrival),
        }
    }

    /// Whether a message at quality of service 0 may wait as well: it may come right behind the news that its subscription is
    /// accepted, as retained messages do, and must not be lost because that news still waits.
    fn has_room_for_unacknowledged(&self) -> bool {
        let size = |arrival: &SessionEvent| match arrival {
            SessionEvent::Message(message, _) => message.payload.len() + message.properties.size(),
            _ => 0,
        };
        self.waiting.len() < MOST_WAITING && self.waiting.iter().map(size).sum::<usize>() < MOST_WAITING_BYTES
    }

    /// Hands on what waits, as far as the inbox has room.
    fn hand_on(&mut self) {
        while let Some(arrival) = self.waiting.pop_front() {
            if let Err(error) = self.arrive.try_send(arrival) {
                return self.waiting.push_front(error.into_inner());
            }
        }
    }

    /// A message was skipped. It is acknowledged in its turn, as refused.
    pub(super) fn skipped(&mut self, packet_id: Option<u16>, topic: &str, why: &str) {
        self.say_lost(topic, why);
        if let Some(packet_id) = packet_id {
            self.unacknowledged.push_back((packet_id, false));
            self.note_whether_crowded();
            let _ = self.taken.0.send(packet_id);
        }
    }

    fn say_lost(&mut self, topic: &str, why: &str) {
        self.lines.one_more(|level, more| {
            journal!(
                level, Event::MessageSkipped, TOPIC = topic;
                "inbox: a message on {topic} was not taken, and is lost: {why}{more}"
            );
        });
    }

    /// Something else for the inbox to know.
    pub(super) fn tell(&mut self, arrival: SessionEvent) {
        self.waiting.push_back(arrival);
        self.hand_on();
    }

    /// Hands on what waits, as the inbox has room; returns when messages were taken: those to acknowledge. Cancel safe.
    pub(super) async fn taken(&mut self) -> Vec<u16> {
        loop {
            let taken = tokio::select! {
                permit = self.arrive.reserve(), if !self.waiting.is_empty() => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(arrival)) => {
                        permit.send(arrival);
                        continue;
                    }
                    // The daemon ends.
                    _ => pending().await,
                },
                Some(packet_id) = self.taken.1.recv() => packet_id,
            };
            let due = self.due(taken);
            if !due.is_empty() {
                return due;
            }
        }
    }

    /// The acknowledgements that are due now that this message is taken.
    fn due(&mut self, packet_id: u16) -> Vec<u16> {
        for (waiting, is_taken) in &mut self.unacknowledged {
            *is_taken |= *waiting == packet_id;
        }
        let mut due = Vec::new();
        while let Some((packet_id, true)) = self.unacknowledged.front() {
            due.push(*packet_id);
            self.unacknowledged.pop_front();
        }
        self.note_whether_crowded();
        due
    }

    fn note_whether_crowded(&self) {
        let crowded = self.unacknowledged.len() >= MOST_UNACKNOWLEDGED;
        self.crowded.store(crowded, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Received {
        Received {
            topic: "t".into(),
            qos: crate::qos::Qos::AtLeastOnce,
            ..Received::default()
        }
    }

    #[tokio::test]
    async fn a_message_at_quality_of_service_0_is_not_lost_behind_the_news_of_its_subscription() {
        let (arrive, mut arrivals) = mpsc::channel(1);
        let mut receiver = Inbound::new(arrive);
        for filter in ["a", "b", "c"] {
            receiver.tell(SessionEvent::Subscribed(filter.into()));
        }
        // AWS sends retained messages right behind SUBACK, before this thread has handed anything on.
        receiver.received(None, message());
        let mut seen = Vec::new();
        while seen.len() < 4 {
            tokio::select! {
                biased;
                _ = receiver.taken() => panic!("nothing is to be acknowledged"),
                arrival = arrivals.recv() => seen.push(matches!(arrival, Some(SessionEvent::Message(..)))),
            }
        }
        assert_eq!(seen, [false, false, false, true], "in the order in which they came");
        // There is an end to what waits.
        for _ in 0..10_000 {
            receiver.received(None, message());
        }
        assert_eq!(receiver.waiting.len(), MOST_WAITING);
        let large = Received {
            payload: vec![0; MOST_WAITING_BYTES].into(),
            ..message()
        };
        receiver.disconnected();
        assert_eq!(receiver.waiting.len(), MOST_WAITING, "what never comes again is kept");
        receiver.waiting.clear();
        for _ in 0..10 {
            receiver.received(None, large.clone());
        }
        assert_eq!(receiver.waiting.len(), 1);
        receiver.received(Some(1), large);
        assert_eq!(receiver.waiting.len(), 2, "what is acknowledged always waits");
        receiver.disconnected();
        assert_eq!(receiver.waiting.len(), 1, "what comes again is not kept");
    }

    #[tokio::test]
    async fn a_message_that_was_skipped_is_acknowledged_in_its_turn() {
        let (arrive, mut arrivals) = mpsc::channel(2);
        let mut receiver = Inbound::new(arrive);
        receiver.received(Some(1), message());
        receiver.skipped(Some(2), "t", "too large");
        receiver.skipped(None, "t", "too large");
        let first = arrivals.recv().await;
        tokio::select! {
            biased;
            _ = receiver.taken() => panic!("the first one is not taken yet"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        assert_eq!(receiver.taken().await, [1, 2]);
    }

    #[tokio::test]
    async fn messages_are_acknowledged_in_the_order_in_which_they_came() {
        let (arrive, mut arrivals) = mpsc::channel(2);
        let mut receiver = Inbound::new(arrive);
        for packet_id in 1..=4 {
            receiver.received(Some(packet_id), message());
        }
        let mut hands = Vec::new();
        for _ in 0..4 {
            tokio::select! {
                biased;
                _ = receiver.taken() => panic!("nothing was taken"),
                arrival = arrivals.recv() => hands.push(arrival),
            }
        }
        drop(hands.remove(1));
        drop(hands.remove(0));
        assert_eq!(receiver.taken().await, [1, 2]);
        // What is not acknowledged when the connection is lost never is: it comes again.
        receiver.disconnected();
        hands.clear();
        receiver.received(Some(9), message());
        drop(arrivals.recv().await);
        assert_eq!(receiver.taken().await, [9]);
    }
}
