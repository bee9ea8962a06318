//! Recognises a client's own messages when AWS sends them back, for subscriptions with No Local.
//!
//! To AWS the gateway is a single client, and AWS sends back everything that the gateway is subscribed to. So the messages of each client
//! are counted by topic and payload, and that many equal messages from AWS are treated as its own. If another client has published an equal
//! message meanwhile, the two cannot be told apart, and need not be: the client gets one of them either way.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::time::Duration;

use tokio::time::Instant;

use crate::qos::Qos;

/// Maximum number of messages of each QoS that are remembered: a burst, or what accumulates while the gateway is offline.
const MAX_MESSAGES: usize = 4096;
/// A message at QoS 0 comes back within this time or not at all.
const QOS_0_EXPIRY: Duration = Duration::from_secs(30);

/// Messages of a client that AWS may send back. One at QoS 1 may come back at any time, so it is remembered until it does, or until
/// newer ones displace it.
#[derive(Debug, Default)]
pub(super) struct OwnMessages {
    hasher: RandomState,
    counts: HashMap<u64, usize>,
    /// Messages at QoS 1, the oldest first.
    at_qos_1: VecDeque<u64>,
    /// Messages at QoS 0, the oldest first, each with the time after which it is no longer expected.
    at_qos_0: VecDeque<(u64, Instant)>,
}

impl OwnMessages {
    /// Records a message that the client has published.
    pub(super) fn add(&mut self, topic: &str, payload: &[u8], qos: Qos, now: Instant) {
        let hash = self.hasher.hash_one((topic, payload));
        *self.counts.entry(hash).or_default() += 1;
        let displaced = if qos == Qos::AtMostOnce {
            self.at_qos_0.push_back((hash, now + QOS_0_EXPIRY));
            let is_full = self.at_qos_0.len() > MAX_MESSAGES;
            is_full
                .then(|| self.at_qos_0.pop_front())
                .flatten()
                .map(|(hash, _)| hash)
        } else {
            self.at_qos_1.push_back(hash);
            let is_full = self.at_qos_1.len() > MAX_MESSAGES;
            is_full.then(|| self.at_qos_1.pop_front()).flatten()
        };
        if let Some(displaced) = displaced {
            self.uncount(displaced);
        }
    }

    /// Returns whether an incoming message is one of the client's own. Messages that are no longer expected are forgotten first.
    pub(super) fn contains(&mut self, topic: &str, payload: &[u8], now: Instant) -> bool {
        while let Some((hash, _)) = self.at_qos_0.pop_front_if(|(_, until)| *until < now) {
            self.uncount(hash);
        }
        !self.counts.is_empty() && self.counts.contains_key(&self.hasher.hash_one((topic, payload)))
    }

    /// Forgets a message that has come back. One at QoS 0 is forgotten first, because it is expected for a limited time.
    pub(super) fn take(&mut self, topic: &str, payload: &[u8]) {
        let hash = self.hasher.hash_one((topic, payload));
        if let Some(position) = self.at_qos_0.iter().position(|(known, _)| *known == hash) {
            self.at_qos_0.remove(position);
        } else if let Some(position) = self.at_qos_1.iter().position(|known| *known == hash) {
            self.at_qos_1.remove(position);
        } else {
            return;
        }
        self.uncount(hash);
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
        let later = now + QOS_0_EXPIRY + Duration::from_millis(1);
        let mut own = OwnMessages::default();
        own.add("a", b"1", Qos::AtLeastOnce, now);
        own.add("a", b"1", Qos::AtLeastOnce, now);
        own.add("a", b"2", Qos::AtMostOnce, now);
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
        assert!(own.counts.is_empty() && own.at_qos_0.is_empty() && own.at_qos_1.is_empty());
    }

    #[test]
    fn a_message_at_qos_1_that_does_not_come_back_keeps_none_at_qos_0() {
        let now = Instant::now();
        let later = now + QOS_0_EXPIRY + Duration::from_millis(1);
        let mut own = OwnMessages::default();
        own.add("a", b"refused", Qos::AtLeastOnce, now);
        own.add("a", b"1", Qos::AtMostOnce, now);
        assert!(!own.contains("a", b"1", later));
        assert!(own.contains("a", b"refused", later));
    }

    #[test]
    fn the_number_of_remembered_messages_is_bounded() {
        let now = Instant::now();
        for qos in [Qos::AtLeastOnce, Qos::AtMostOnce] {
            let mut own = OwnMessages::default();
            for number in 0..10_000_u32 {
                own.add("a", &number.to_be_bytes(), qos, now);
            }
            assert_eq!(own.at_qos_0.len() + own.at_qos_1.len(), MAX_MESSAGES);
            assert_eq!(own.counts.len(), MAX_MESSAGES);
            assert!(!own.contains("a", &0_u32.to_be_bytes(), now));
            assert!(own.contains("a", &9_999_u32.to_be_bytes(), now));
        }
    }
}
