//! How much of each topic waits or is under way.
//!
//! Topics are counted one by one as long as there are not too many of them at once; those beyond that share a fixed number of
//! buckets. Two topics in one bucket are treated as the same, which keeps the order, but puts a new one behind the other's
//! backlog.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::owner::Account;

/// Topics that are counted by themselves: some 200 KiB, if there are so many.
pub(super) const EXACT: usize = 8192;
/// Buckets of the others: 32 KiB of counters.
const SHARED: usize = 4096;

/// How many messages of a topic, or of those that share a bucket, wait or are under way, by the lane they came through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) express: u32,
    pub(super) backlog: u32,
}

/// Where a topic is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// By itself. That two topics have the same 64 bits does not happen, and would do no harm.
    Exact(u64),
    Shared(usize),
}

#[derive(Debug)]
pub(super) struct Topics {
    hasher: RandomState,
    most: usize,
    exact: HashMap<u64, Counts>,
    shared: Vec<Counts>,
}

impl Topics {
    /// At most `most` topics are counted by themselves.
    pub(super) fn new(most: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            most,
            exact: HashMap::new(),
            shared: vec![Counts::default(); SHARED],
        }
    }

    /// Where the account's topic is counted, or will be. As long as anything of it is counted, that is the same place.
    pub(super) fn place(&self, account: &Account, topic: &str) -> Place {
        let hash = self.hasher.hash_one((account, topic));
        let shared = usize::try_from(hash).unwrap_or(0) % SHARED;
        let is_shared = || {
            self.shared
                .get(shared)
                .is_some_and(|counts| *counts != Counts::default())
        };
        match self.exact.contains_key(&hash) || (!is_shared() && self.exact.len() < self.most) {
            true => Place::Exact(hash),
            false => Place::Shared(shared),
        }
    }

    pub(super) fn counts(&self, place: Place) -> Counts {
        let counts = match place {
            Place::Exact(hash) => self.exact.get(&hash),
            Place::Shared(index) => self.shared.get(index),
        };
        counts.copied().unwrap_or_default()
    }

    pub(super) fn change(&mut self, place: Place, change: impl FnOnce(&mut Counts)) {
        match place {
            Place::Exact(hash) => {
                let counts = self.exact.entry(hash).or_default();
                change(counts);
                if *counts == Counts::default() {
                    self.exact.remove(&hash);
                }
            }
            Place::Shared(index) => {
                if let Some(counts) = self.shared.get_mut(index) {
                    change(counts);
                }
            }
        }
    }
}
