//! Detects poison messages: messages that make AWS close the connection.
//!
//! When a connection drops within one second of a publish, every message in flight becomes a suspect, and suspects are sent again one
//! at a time. If the connection drops again while a single suspect is in flight, and AWS accepts the next connection at once, the
//! suspect gets a strike, and nothing is sent on that connection for two seconds. If that connection drops as well, the message is not
//! the cause, and all strikes are removed. Three strikes in a row make a message guilty. A broker that crashes takes longer to
//! return, and a network that fails for other reasons also fails without the message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// A connection that is lost within this time of a message may be lost because of it.
const SUSPECT_WINDOW: Duration = Duration::from_secs(1);
/// Time for which nothing is sent on a connection after a strike.
const QUIET: Duration = Duration::from_secs(2);
/// Number of strikes that make a suspect guilty.
const STRIKES: u32 = 3;

/// Suspects and their strikes. `T` identifies a message or anything else that has an order.
#[derive(Debug)]
pub(super) struct PoisonDetector<T: Ord + Clone> {
    suspected: BTreeSet<T>,
    strikes: BTreeMap<T, u32>,
    /// The suspect that was alone in flight at the last loss. It gets a strike if the next attempt to connect succeeds.
    alone: Option<T>,
    /// Time until which nothing is sent, to check whether the connection holds without the message.
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
    /// Returns whether only one message may be in flight at a time.
    pub(super) fn one_at_a_time(&self) -> bool {
        !self.suspected.is_empty()
    }

    /// Returns whether `predicate` is true for a suspect.
    pub(super) fn any(&self, predicate: impl FnMut(&T) -> bool) -> bool {
        self.suspected.iter().any(predicate)
    }

    /// Returns whether the message is a suspect: it was in flight when a connection was lost, and is not cleared yet.
    pub(super) fn is_suspected(&self, message: &T) -> bool {
        self.suspected.contains(message)
    }

    /// Forgets the suspects before this message. They were not sent again before it, so they were purged or have expired.
    pub(super) fn forget_before(&mut self, message: &T) {
        self.suspected.retain(|known| known >= message);
        self.strikes.retain(|known, _| known >= message);
        if self.strikes.is_empty() {
            self.quiet_until = None;
        }
    }

    /// Returns the time until which nothing may be sent.
    pub(super) fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until.filter(|until| Instant::now() < *until)
    }

    /// Handles the loss of a connection with these messages in flight, the last of which was sent `ago`.
    pub(super) fn lost(&mut self, in_flight: impl Iterator<Item = T>, ago: Duration) {
        let in_flight: BTreeSet<T> = in_flight.collect();
        if self.quiet_until().is_some() {
            self.strikes.clear();
        }
        if ago > SUSPECT_WINDOW || in_flight.is_empty() {
            return;
        }
        self.alone = match (in_flight.len(), in_flight.first()) {
            (1, Some(only)) if self.suspected.contains(only) => Some(only.clone()),
            _ => None,
        };
        self.suspected.extend(in_flight);
    }

    /// Handles the end of a connection on which AWS did not answer these messages. A single one is the cause, and is returned;
    /// several are sent one at a time from now on.
    pub(super) fn unanswered(&mut self, in_flight: Vec<T>) -> Option<T> {
        self.alone = None;
        match <[T; 1]>::try_from(in_flight) {
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

    /// Records a failed attempt to connect. AWS cannot be reached, so the last loss blames no message.
    pub(super) fn connect_failed(&mut self) {
        self.alone = None;
    }

    /// Starts with a new connection.
    pub(super) fn connected(&mut self) {
        if let Some(alone) = self.alone.take() {
            *self.strikes.entry(alone).or_default() += 1;
        }
        self.quiet_until = (!self.strikes.is_empty()).then(|| Instant::now() + QUIET);
    }

    /// Returns whether the message has made AWS close connections.
    pub(super) fn is_guilty(&self, message: &T) -> bool {
        self.quiet_until().is_none() && self.strikes.get(message).is_some_and(|strikes| *strikes >= STRIKES)
    }

    /// Clears a message that AWS has answered, or that will not be sent again.
    pub(super) fn cleared(&mut self, message: &T) {
        self.suspected.remove(message);
        self.strikes.remove(message);
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
    fn unanswered_messages_are_sent_one_at_a_time_until_the_cause_is_found() {
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
            "there is no strike for a dropped connection"
        );
        suspects.cleared(&3);
        assert!(!suspects.one_at_a_time());
        assert_eq!(suspects.unanswered(vec![4]), Some(4), "alone from the start");
        assert_eq!(suspects.unanswered(Vec::new()), None);
        assert!(!suspects.one_at_a_time());
    }

    /// Connects, and waits until the connection has held for long enough.
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
        for harmless in 1..7 {
            connected(&mut suspects).await;
            suspects.cleared(&harmless);
        }
        for _ in 0..3 {
            assert!(!suspects.is_guilty(&7));
            suspects.lost(std::iter::once(7), NOW);
            connected(&mut suspects).await;
        }
        assert!(suspects.is_guilty(&7) && !suspects.is_guilty(&8));
        suspects.cleared(&7);
        for harmless in 8..=50 {
            suspects.cleared(&harmless);
        }
        assert!(!suspects.one_at_a_time());
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_network_that_breaks_without_the_message_acquits_it() {
        let mut suspects = PoisonDetector::default();
        for _ in 0..100 {
            // It is in flight at two losses by chance. The third connection is lost while it is withheld.
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
        // A message that was cleared may get strikes again.
        for _ in 0..3 {
            suspects.lost(std::iter::once(1), NOW);
            connected(&mut suspects).await;
        }
        assert!(suspects.is_guilty(&1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspect_that_is_never_sent_again_is_forgotten() {
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
    async fn a_broker_that_crashes_makes_no_message_guilty() {
        let mut suspects = PoisonDetector::default();
        for _ in 0..100 {
            suspects.lost(std::iter::once(1), NOW);
            suspects.connect_failed();
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
