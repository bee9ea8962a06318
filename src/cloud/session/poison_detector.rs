//! Which message, if any, makes AWS drop the connection.
//!
//! A connection that is lost within a second after a message was sent may have been lost because of it. Then messages are
//! sent one at a time, until those that were under way have passed. One that is alone when it happens again, with an AWS that
//! can be reached at once, is accused, and kept back on the next connection for twice as long: if that breaks as well, it was
//! not the message, and all begins anew. Guilty is what was accused three times in a row so. A broker that dies takes
//! longer to come back, and a network that breaks for reasons of its own does so without the message, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// A loss this soon after a message may be because of it.
const SOON: Duration = Duration::from_secs(1);
/// A connection on which the accused was kept back for so long has held without it.
const QUIET: Duration = Duration::from_secs(2);
/// So often it must have been alone.
const STRIKES: u32 = 3;

/// What is known about messages by their numbers (or about anything else that has an order).
#[derive(Debug)]
pub(super) struct PoisonDetector<T: Ord + Clone> {
    suspected: BTreeSet<T>,
    strikes: BTreeMap<T, u32>,
    /// It was alone at the last loss; whether that counts depends on how the next connection comes about.
    alone: Option<T>,
    /// The connection must hold until then without the accused.
    quiet_until: Option<Instant>,
}

impl<T: Ord + Clone> Default for PoisonDetector<T> {
    fn default() -> Self {
        Self {
            suspected: BTreeSet::new(),
            strikes: BTreeMap::new(),
            alone: None,
            quiet_until: None,
        }
    }
}

impl<T: Ord + Clone> PoisonDetector<T> {
    /// Whether only one may be under way at a time.
    pub(super) fn one_at_a_time(&self) -> bool {
        !self.suspected.is_empty()
    }

    /// Whether one of these is suspected.
    pub(super) fn any(&self, is: impl FnMut(&T) -> bool) -> bool {
        self.suspected.iter().any(is)
    }

    /// Whether it was under way when a connection was lost, and is not acquitted yet.
    pub(super) fn is_suspected(&self, what: &T) -> bool {
        self.suspected.contains(what)
    }

    /// Those before this one have not come again, so they never will: somebody has purged them, or they are too old.
    pub(super) fn forget_before(&mut self, what: &T) {
        self.suspected.retain(|known| known >= what);
        self.strikes.retain(|known, _| known >= what);
        if self.strikes.is_empty() {
            self.quiet_until = None;
        }
    }

    /// Until when nothing may be sent: the connection is tried without the accused.
    pub(super) fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until.filter(|until| Instant::now() < *until)
    }

    /// The connection is lost while these were under way, the last of them sent so long ago.
    pub(super) fn lost(&mut self, under_way: impl Iterator<Item = T>, ago: Duration) {
        let under_way: BTreeSet<T> = under_way.collect();
        if self.quiet_until().is_some() {
            self.strikes.clear();
        }
        if ago > SOON || under_way.is_empty() {
            return;
        }
        self.alone = match (under_way.len(), under_way.first()) {
            (1, Some(only)) if self.suspected.contains(only) => Some(only.clone()),
            _ => None,
        };
        self.suspected.extend(under_way);
    }

    /// The connection has ended because these were never answered. One alone is to blame, and returned; several go one at a time
    /// from now on.
    pub(super) fn unanswered(&mut self, under_way: Vec<T>) -> Option<T> {
        self.alone = None;
        match <[T; 1]>::try_from(under_way) {
            Ok([only]) => {
                self.cleared(&only);
                Some(only)
            }
            Err(several) => {
                self.suspected.extend(several);
                None
            }
        }
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
        self.quiet_until = (!self.strikes.is_empty()).then(|| Instant::now() + QUIET);
    }

    /// Whether it is the one.
    pub(super) fn is_guilty(&self, what: &T) -> bool {
        self.quiet_until().is_none() && self.strikes.get(what).is_some_and(|strikes| *strikes >= STRIKES)
    }

    /// It has passed, or is out of the way.
    pub(super) fn cleared(&mut self, what: &T) {
        self.suspected.remove(what);
        self.strikes.remove(what);
        if self.strikes.is_empty() {
            self.quiet_until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn of_several_that_are_not_answered_each_goes_alone_until_one_is_to_blame() {
        let mut suspects = PoisonDetector::default();
        assert_eq!(suspects.unanswered(vec![1, 2, 3]), None);
        assert!(suspects.one_at_a_time());
        suspects.connected();
        suspects.cleared(&1);
        assert_eq!(suspects.unanswered(vec![2]), Some(2));
        assert!(!suspects.is_suspected(&2) && suspects.is_suspected(&3));
        suspects.connected();
        assert_eq!(
            suspects.quiet_until(),
            None,
            "nobody is accused of dropping a connection"
        );
        suspects.cleared(&3);
        assert!(!suspects.one_at_a_time());
        assert_eq!(suspects.unanswered(vec![4]), Some(4), "alone by chance");
        assert_eq!(suspects.unanswered(Vec::new()), None);
        assert!(!suspects.one_at_a_time());
    }

    /// The next connection, once it has held for long enough.
    async fn connected(suspects: &mut PoisonDetector<i32>) {
        suspects.connected();
        if let Some(until) = suspects.quiet_until() {
            tokio::time::sleep_until(until).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_the_message_that_drops_the_connection_is_found_among_many() {
        let mut suspects = PoisonDetector::default();
        suspects.lost(1..=50, NOW);
        assert!(suspects.one_at_a_time());
        for innocent in 1..7 {
            connected(&mut suspects).await;
            suspects.cleared(&innocent);
        }
        for _ in 0..3 {
            assert!(!suspects.is_guilty(&7));
            suspects.lost(std::iter::once(7), NOW);
            connected(&mut suspects).await;
        }
        assert!(suspects.is_guilty(&7) && !suspects.is_guilty(&8));
        suspects.cleared(&7);
        for innocent in 8..=50 {
            suspects.cleared(&innocent);
        }
        assert!(!suspects.one_at_a_time());
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_network_that_breaks_without_the_message_acquits_it() {
        let mut suspects = PoisonDetector::default();
        for _ in 0..100 {
            // Twice it happens to be under way; then the connection breaks though it was kept back.
            for _ in 0..2 {
                suspects.lost(std::iter::once(1), NOW);
                connected(&mut suspects).await;
            }
            suspects.lost(std::iter::once(1), NOW);
            suspects.connected();
            suspects.lost(std::iter::empty(), NOW);
            connected(&mut suspects).await;
            assert!(!suspects.is_guilty(&1) && suspects.one_at_a_time());
        }
        // What was acquitted may be accused again.
        for _ in 0..3 {
            suspects.lost(std::iter::once(1), NOW);
            connected(&mut suspects).await;
        }
        assert!(suspects.is_guilty(&1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspect_that_never_comes_again_is_forgotten() {
        let mut suspects = PoisonDetector::default();
        suspects.lost(1..=2, NOW);
        suspects.lost(std::iter::once(1), NOW);
        connected(&mut suspects).await;
        suspects.forget_before(&2);
        assert!(suspects.one_at_a_time() && suspects.is_suspected(&2) && !suspects.is_suspected(&1));
        suspects.forget_before(&3);
        assert!(!suspects.one_at_a_time() && suspects.quiet_until().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_dies_makes_nobody_guilty() {
        let mut suspects = PoisonDetector::default();
        for _ in 0..100 {
            suspects.lost(std::iter::once(1), NOW);
            suspects.not_reached();
            suspects.connected();
        }
        assert!(!suspects.is_guilty(&1));
        let mut suspects = PoisonDetector::default();
        for _ in 0..100 {
            suspects.lost(std::iter::once(1), Duration::from_secs(2));
            suspects.connected();
        }
        assert!(!suspects.is_guilty(&1) && !suspects.one_at_a_time());
    }
}
