//! Finds messages that AWS never acknowledges, while it answers PINGREQ and acknowledges others.
//!
//! A message that AWS has left unanswered for a minute ends the connection, so one that is never answered would end each. On the next
//! connection it is sent after others: where AWS takes one message at a time, the others get through. It gets a strike for each
//! connection that it has ended and on which AWS has acknowledged something else; three strikes park it. Where AWS acknowledges
//! nothing at all, that says nothing about a message.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// A message is parked after so many.
const STRIKES: u32 = 3;
/// A message that was left unanswered is sent so long after CONNACK, or once AWS has acknowledged another one of the outbox.
const DEFERRAL: Duration = Duration::from_secs(5);
/// Messages that are remembered; those that were purged meanwhile would stay for ever otherwise.
const REMEMBERED: usize = 256;

/// The messages that earlier connections have left unanswered.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    /// By their numbers.
    strikes: BTreeMap<i64, u32>,
    /// Whether AWS has acknowledged anything on this connection.
    acknowledges: bool,
    /// Until when these messages wait.
    deferred_until: Option<Instant>,
}

impl Unacknowledged {
    /// A connection.
    pub(super) fn connected(&mut self) {
        self.acknowledges = false;
        self.deferred_until = (!self.strikes.is_empty()).then(|| Instant::now() + DEFERRAL);
    }

    /// AWS has acknowledged something that is not in the outbox.
    pub(super) fn acknowledged_something(&mut self) {
        self.acknowledges = true;
    }

    /// AWS has answered this message.
    pub(super) fn answered(&mut self, id: i64) {
        self.acknowledges = true;
        self.deferred_until = None;
        self.strikes.remove(&id);
    }

    /// Until when this message waits for others.
    pub(super) fn deferred_until(&self, id: i64) -> Option<Instant> {
        let until = self.deferred_until.filter(|until| Instant::now() < *until)?;
        self.strikes.contains_key(&id).then_some(until)
    }

    /// Whether the message is to be parked.
    pub(super) fn is_guilty(&self, id: i64) -> bool {
        self.strikes.get(&id).is_some_and(|strikes| *strikes >= STRIKES)
    }

    /// They wait no longer.
    pub(super) fn end_deferral(&mut self) {
        self.deferred_until = None;
    }

    /// The message is out of the way.
    pub(super) fn forget(&mut self, id: i64) {
        self.strikes.remove(&id);
    }

    /// The connection has ended because AWS has left something unanswered, these messages for a minute at least. Returns whether
    /// that says anything about them.
    pub(super) fn unanswered(&mut self, ids: impl Iterator<Item = i64>) -> bool {
        for id in ids {
            *self.strikes.entry(id).or_default() += u32::from(self.acknowledges);
        }
        while self.strikes.len() > REMEMBERED {
            self.strikes.pop_first();
        }
        self.acknowledges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_message_is_parked_that_three_connections_have_left_unanswered() {
        /// How a connection goes on which message 7 waits for a minute.
        #[derive(Clone, Copy)]
        enum Then {
            OthersAcknowledged,
            PresenceAcknowledged,
            NothingAcknowledged,
            Acknowledged,
        }
        use Then::{Acknowledged, NothingAcknowledged, OthersAcknowledged, PresenceAcknowledged};
        let cases: &[(&str, &[Then], bool)] = &[
            ("once", &[OthersAcknowledged], false),
            ("twice", &[OthersAcknowledged; 2], false),
            ("three times", &[OthersAcknowledged; 3], true),
            ("presence is acknowledged", &[PresenceAcknowledged; 3], true),
            ("nothing is acknowledged at all", &[NothingAcknowledged; 9], false),
            (
                "an outage between",
                &[
                    OthersAcknowledged,
                    NothingAcknowledged,
                    OthersAcknowledged,
                    NothingAcknowledged,
                    OthersAcknowledged,
                ],
                true,
            ),
            (
                "acknowledged at last",
                &[OthersAcknowledged, OthersAcknowledged, Acknowledged, OthersAcknowledged],
                false,
            ),
        ];
        for (what, connections, expected) in cases {
            let mut messages = Unacknowledged::default();
            for then in *connections {
                messages.connected();
                match then {
                    OthersAcknowledged => messages.answered(1),
                    PresenceAcknowledged => messages.acknowledged_something(),
                    NothingAcknowledged => {}
                    Acknowledged => {
                        messages.answered(7);
                        continue;
                    }
                }
                messages.unanswered(std::iter::once(7));
            }
            assert_eq!(messages.is_guilty(7), *expected, "{what}");
            assert!(!messages.is_guilty(1), "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_with_a_strike_waits_for_others_but_not_for_ever() {
        let mut messages = Unacknowledged::default();
        messages.connected();
        assert_eq!(messages.deferred_until(7), None, "no strike yet");
        messages.acknowledged_something();
        messages.unanswered(std::iter::once(7));
        messages.connected();
        let until = messages.deferred_until(7).unwrap();
        assert_eq!(messages.deferred_until(8), None);
        messages.acknowledged_something();
        assert_eq!(messages.deferred_until(7), Some(until), "presence is no other message");
        tokio::time::sleep_until(until).await;
        assert_eq!(messages.deferred_until(7), None);
        messages.connected();
        assert!(messages.deferred_until(7).is_some());
        messages.answered(1);
        assert_eq!(messages.deferred_until(7), None, "others get through");
        messages.forget(7);
        messages.connected();
        assert_eq!(messages.deferred_until(7), None);
    }

    #[test]
    fn what_was_purged_takes_a_bounded_memory() {
        let mut messages = Unacknowledged::default();
        messages.acknowledged_something();
        for id in 0..10_000 {
            messages.unanswered(std::iter::once(id));
        }
        assert_eq!(messages.strikes.len(), REMEMBERED);
    }
}
