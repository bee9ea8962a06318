//! Messages from AWS on their way to the inbox, and their acknowledgements on the way back.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::messages::{Arrival, Received, Taken};

/// AWS IoT sends no more before we have acknowledged something (quotas, "Maximum inbound unacknowledged QoS 1 publish
/// requests", the same the other way).
const MOST_UNACKNOWLEDGED: usize = 100;

/// The way to the inbox.
#[derive(Debug)]
pub(super) struct Receiver {
    arrive: mpsc::Sender<Arrival>,
    /// What the inbox has no room for at the moment; AWS sends no more than [`MOST_UNACKNOWLEDGED`].
    waiting: VecDeque<Arrival>,
    /// Acknowledgements in the order in which the messages came (MQTT 5.0, 4.6), and whether they are due.
    unacknowledged: VecDeque<(u16, bool)>,
    /// Whether AWS waits for one of them before it sends more.
    crowded: Arc<AtomicBool>,
    taken: (mpsc::UnboundedSender<u16>, mpsc::UnboundedReceiver<u16>),
}

impl Receiver {
    pub(super) fn new(arrive: mpsc::Sender<Arrival>) -> Self {
        Self {
            arrive,
            waiting: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            crowded: Arc::default(),
            taken: mpsc::unbounded_channel(),
        }
    }

    /// The connection is gone: AWS sends again what it has no acknowledgement for.
    pub(super) fn disconnected(&mut self) {
        self.unacknowledged.clear();
        self.note_whether_crowded();
        // Acknowledgements of this connection's messages mean nothing on the next one.
        self.taken = mpsc::unbounded_channel();
        self.waiting.retain(|arrival| !matches!(arrival, Arrival::Message(..)));
    }

    /// A message has come.
    pub(super) fn received(&mut self, packet_id: Option<u16>, message: Received) {
        let taken = match packet_id {
            Some(packet_id) => {
                self.unacknowledged.push_back((packet_id, false));
                self.note_whether_crowded();
                Taken::new(packet_id, self.taken.0.clone(), self.crowded.clone())
            }
            None => Taken::nothing(),
        };
        let arrival = Arrival::Message(message, taken);
        let arrival = match self.waiting.is_empty() {
            true => self
                .arrive
                .try_send(arrival)
                .err()
                .map(mpsc::error::TrySendError::into_inner),
            false => Some(arrival),
        };
        // At quality of service 0 a message may be lost, and memory is not for those that come too fast.
        if let Some(arrival) = arrival
            && packet_id.is_some()
        {
            self.waiting.push_back(arrival);
        }
    }

    /// Something else for the inbox to know.
    pub(super) fn tell(&mut self, arrival: Arrival) {
        self.waiting.push_back(arrival);
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
            qos: 1,
            ..Received::default()
        }
    }

    #[tokio::test]
    async fn messages_are_acknowledged_in_the_order_in_which_they_came() {
        let (arrive, mut arrivals) = mpsc::channel(2);
        let mut receiver = Receiver::new(arrive);
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
