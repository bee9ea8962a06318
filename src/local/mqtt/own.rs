//! Recognises a client's own messages when AWS sends them back, for subscriptions with No Local.
//!
//! To AWS the gateway is a single client, and AWS sends back everything that the gateway is subscribed to. So the messages of each client
//! are counted by topic and payload, and as many equal messages are taken for its own. If another client has published an equal message
//! meanwhile, the two cannot be told apart, and need not be.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::time::Duration;

use tokio::time::Instant;

/// Maximum number of messages that are remembered: a burst, or what accumulates while the gateway is offline.
const MAX_MESSAGES: usize = 4096;
/// A message at QoS 0 comes back within this time or not at all.
const QOS_0_TIME: Duration = Duration::from_secs(30);

/// Messages of a client that AWS may send back.
#[derive(Debug, Default)]
pub(super) struct OwnMessages {
    hasher: RandomState,
    counts: HashMap<u64, usize>,
    /// Messages in the order of publishing, each with the time after which it is no longer expected.
    order: VecDeque<(u64, Option<Instant>)>,
}

impl OwnMessages {
    /// Records a message that the client has published.
    pub(super) fn add(&mut self, topic: &str, payload: &[u8], is_qos_0: bool, now: Instant) {
        while self.order.len() >= MAX_MESSAGES {
            self.forget_oldest();
        }
        let hash = self.hasher.hash_one((topic, payload));
        *self.counts.entry(hash).or_default() += 1;
        self.order.push_back((hash, is_qos_0.then(|| now + QOS_0_TIME)));
    }

    /// Returns whether an incoming message is one of the client's own.
    pub(super) fn contains(&mut self, topic: &str, payload: &[u8], now: Instant) -> bool {
        while matches!(self.order.front(), Some((_, Some(until))) if *until < now) {
            self.forget_oldest();
        }
        !self.order.is_empty() && self.counts.contains_key(&self.hasher.hash_one((topic, payload)))
    }

    /// Forgets a message that has come back.
    pub(super) fn take(&mut self, topic: &str, payload: &[u8]) {
        let hash = self.hasher.hash_one((topic, payload));
        if let Some(position) = self.order.iter().position(|(known, _)| *known == hash) {
            self.order.remove(position);
            self.uncount(hash);
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((hash, _)) = self.order.pop_front() {
            self.uncount(hash);
        }
    }

    fn uncount(&mut self, hash: u64) {
        if let Some(count) = self.counts.get_mut(&hash) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_own_message_is_recognised_once() {
        let now = Instant::now();
        let later = now + QOS_0_TIME + Duration::from_millis(1);
        let mut own = OwnMessages::default();
        own.add("a", b"1", false, now);
        own.add("a", b"1", false, now);
        own.add("a", b"2", true, now);
        for (topic, payload, at, expected) in [
            ("a", &b"3"[..], now, false),
            ("b", b"1", now, false),
            ("a", b"1", now, true),
            ("a", b"1", later, true),
            ("a", b"1", later, false),
            ("a", b"2", later, false),
        ] {
            assert_eq!(own.contains(topic, payload, at), expected, "{topic} {payload:?}");
            own.take(topic, payload);
        }
        assert!(own.counts.is_empty() && own.order.is_empty());
    }

    #[test]
    fn the_number_of_remembered_messages_is_bounded() {
        let now = Instant::now();
        let mut own = OwnMessages::default();
        for number in 0..10_000_u32 {
            own.add("a", &number.to_be_bytes(), false, now);
        }
        assert_eq!((own.order.len(), own.counts.len()), (MAX_MESSAGES, MAX_MESSAGES));
        assert!(!own.contains("a", &0_u32.to_be_bytes(), now));
        assert!(own.contains("a", &9_999_u32.to_be_bytes(), now));
    }
}
