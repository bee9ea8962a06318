//! Number of messages of each topic that wait or are in flight.
//!
//! Up to a limit, topics are counted individually; the others share a fixed number of buckets. Two topics in one bucket are
//! treated as one topic. That preserves their order, but puts a message of one topic behind the backlog of the other.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::messages::owner::Account;

/// Topics that are counted individually; they take some 200 KiB.
pub(in crate::messages) const MAX_EXACT: usize = 8192;
/// Buckets for all other topics; they take 32 KiB.
const BUCKETS: usize = 4096;

/// Number of messages of a topic, or of the topics in a bucket, that wait or are in flight, by the lane they are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::messages) struct LaneCounts {
    pub(in crate::messages) express: u32,
    pub(in crate::messages) backlog: u32,
}

/// Where a topic is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::messages) enum TopicKey {
    /// Individually, by its hash. A collision of 64 bits is not expected, and would do no harm.
    Exact(u64),
    /// In a bucket.
    Bucket(usize),
}

/// Number of messages of each topic.
#[derive(Debug)]
pub(in crate::messages) struct TopicCounts {
    hasher: RandomState,
    max_exact: usize,
    exact: HashMap<u64, LaneCounts>,
    buckets: Vec<LaneCounts>,
}

impl TopicCounts {
    /// Makes counters that count at most `max_exact` topics individually.
    pub(in crate::messages) fn new(max_exact: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            max_exact,
            exact: HashMap::new(),
            buckets: vec![LaneCounts::default(); BUCKETS],
        }
    }

    /// Returns where the account's topic is or will be counted. This does not change while it has messages.
    pub(in crate::messages) fn key(&self, account: &Account, topic: &str) -> TopicKey {
        let hash = self.hasher.hash_one((account, topic));
        let bucket = usize::try_from(hash).unwrap_or(0) % BUCKETS;
        let bucket_is_used = || {
            self.buckets
                .get(bucket)
                .is_some_and(|counts| *counts != LaneCounts::default())
        };
        match self.exact.contains_key(&hash) || (!bucket_is_used() && self.exact.len() < self.max_exact) {
            true => TopicKey::Exact(hash),
            false => TopicKey::Bucket(bucket),
        }
    }

    pub(in crate::messages) fn get(&self, key: TopicKey) -> LaneCounts {
        let counts = match key {
            TopicKey::Exact(hash) => self.exact.get(&hash),
            TopicKey::Bucket(index) => self.buckets.get(index),
        };
        counts.copied().unwrap_or_default()
    }

    pub(in crate::messages) fn update(&mut self, key: TopicKey, update: impl FnOnce(&mut LaneCounts)) {
        match key {
            TopicKey::Exact(hash) => {
                let counts = self.exact.entry(hash).or_default();
                update(counts);
                if *counts == LaneCounts::default() {
                    self.exact.remove(&hash);
                }
            }
            TopicKey::Bucket(index) => {
                if let Some(counts) = self.buckets.get_mut(index) {
                    update(counts);
                }
            }
        }
    }
}
