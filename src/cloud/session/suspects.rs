//! Which message, if any, makes AWS drop the connection.
//!
//! A connection that is lost within a second after a message was sent may have been lost because of it. Then messages are
//! sent one at a time, until those that were under way have passed; the one that is alone when it happens again, twice, and
//! with an AWS that can be reached at once, is the one. A broker that dies takes longer to come back than that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A loss this soon after a message may be because of it.
const SOON: Duration = Duration::from_secs(1);
/// So often it must have been alone.
const STRIKES: u32 = 2;

/// What is known about messages by their numbers (or about anything else that has an order).
#[derive(Debug)]
pub(super) struct Suspects<T: Ord + Clone> {
    suspected: BTreeSet<T>,
    strikes: BTreeMap<T, u32>,
    /// It was alone at the last loss; whether that counts depends on how the next connection comes about.
    alone: Option<T>,
}

impl<T: Ord + Clone> Default for Suspects<T> {
    fn default() -> Self {
        Self {
            suspected: BTreeSet::new(),
            strikes: BTreeMap::new(),
            alone: None,
        }
    }
}

impl<T: Ord + Clone> Suspects<T> {
    /// Whether only one may be under way at a time.
    pub(super) fn one_at_a_time(&self) -> bool {
        !self.suspected.is_empty()
    }

    /// The connection is lost while these were under way, the last of them sent so long ago.
    pub(super) fn lost(&mut self, under_way: impl Iterator<Item = T>, ago: Duration) {
        let under_way: BTreeSet<T> = under_way.collect();
        if ago > SOON || under_way.is_empty() {
            return;
        }
        self.alone = match (under_way.len(), under_way.first()) {
            (1, Some(only)) if self.suspected.contains(only) => Some(only.clone()),
            _ => None,
        };
        self.suspected.extend(under_way);
    }

    /// An attempt to connect has failed: it was not the message's doing, then.
    pub(super) fn not_reached(&mut self) {
        self.alone = None;
    }

    /// Connected.
    pub(super) fn connected(&mut self) {
        if let Some(alone) = self.alone.take() {
            *self.strikes.entry(alone).or_default() += 1;
        }
    }

    /// Whether it is the one.
    pub(super) fn is_guilty(&self, what: &T) -> bool {
        self.strikes.get(what).is_some_and(|strikes| *strikes >= STRIKES)
    }

    /// It has passed, or is out of the way.
    pub(super) fn cleared(&mut self, what: &T) {
        self.suspected.remove(what);
        self.strikes.remove(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn promise_6_the_message_that_drops_the_connection_is_found_among_many() {
        let mut suspects = Suspects::default();
        suspects.lost(1..=50, NOW);
        assert!(suspects.one_at_a_time());
        for innocent in 1..7 {
            suspects.connected();
            suspects.cleared(&innocent);
        }
        for _ in 0..2 {
            assert!(!suspects.is_guilty(&7));
            suspects.lost(std::iter::once(7), NOW);
            suspects.connected();
        }
        assert!(suspects.is_guilty(&7) && !suspects.is_guilty(&8));
        suspects.cleared(&7);
        for innocent in 8..=50 {
            suspects.cleared(&innocent);
        }
        assert!(!suspects.one_at_a_time());
    }

    #[test]
    fn a_broker_that_dies_makes_nobody_guilty() {
        let mut suspects = Suspects::default();
        for _ in 0..100 {
            suspects.lost(std::iter::once(1), NOW);
            suspects.not_reached();
            suspects.connected();
        }
        assert!(!suspects.is_guilty(&1));
        let mut suspects = Suspects::default();
        for _ in 0..100 {
            suspects.lost(std::iter::once(1), Duration::from_secs(2));
            suspects.connected();
        }
        assert!(!suspects.is_guilty(&1) && !suspects.one_at_a_time());
    }
}
