//! Detects messages that AWS never acknowledges, although it answers PINGREQ and acknowledges other messages.
//!
//! A message that stays unanswered for a minute ends the connection, so one that is never answered would end every connection. On the
//! next connection it is sent after others, which get through even if AWS accepts only one message at a time. It gets a strike for
//! each connection that it ended and on which AWS acknowledged something else. Three strikes park it. If AWS acknowledges nothing at
//! all, no message is blamed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Number of strikes after which a message is parked.
const STRIKES: u32 = 3;
/// Time after CONNACK for which an unanswered message is deferred, unless AWS acknowledges another message of the outbox before.
const DEFERRAL: Duration = Duration::from_secs(5);
/// Number of messages that are remembered. Purged messages would otherwise stay for ever.
const MAX_REMEMBERED: usize = 256;

/// Messages that earlier connections left unanswered.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    /// Strikes by message ID.
    strikes: BTreeMap<i64, u32>,
    /// Whether AWS has acknowledged anything on this connection.
    acknowledges: bool,
    /// Time until which these messages are deferred.
    deferred_until: Option<Instant>,
}

impl Unacknowledged {
    /// Starts with a new connection.
    pub(super) fn connected(&mut self) {
        self.acknowledges = false;
        self.deferred_until = (!self.strikes.is_empty()).then(|| Instant::now() + DEFERRAL);
    }

    /// Records that AWS has acknowledged a message that may be from outside the outbox.
    pub(super) fn acknowledged_something(&mut self) {
        self.acknowledges = true;
    }

    /// Records that AWS has answered this message.
    pub(super) fn answered(&mut self, id: i64) {
        self.acknowledges = true;
        self.deferred_until = None;
        self.strikes.remove(&id);
    }

    /// Returns the time until which this message is deferred.
    pub(super) fn deferred_until(&self, id: i64) -> Option<Instant> {
        let until = self.deferred_until.filter(|until| Instant::now() < *until)?;
        self.strikes.contains_key(&id).then_some(until)
    }

    /// Returns whether the message must be parked.
    pub(super) fn is_guilty(&self, id: i64) -> bool {
        self.strikes.get(&id).is_some_and(|strikes| *strikes >= STRIKES)
    }

    /// Ends the deferral of all messages.
    pub(super) fn end_deferral(&mut self) {
        self.deferred_until = None;
    }

    /// Forgets a message that will not be sent again.
    pub(super) fn forget(&mut self, id: i64) {
        self.strikes.remove(&id);
    }

    /// Handles the end of a connection on which AWS did not answer these messages for a minute. Returns whether they are blamed.
    pub(super) fn unanswered(&mut self, ids: impl Iterator<Item = i64>) -> bool {
        for id in ids {
            *self.strikes.entry(id).or_default() += u32::from(self.acknowledges);
        }
        while self.strikes.len() > MAX_REMEMBERED {
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
        /// Course of a connection on which message 7 is in flight for a minute.
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
    async fn a_message_with_a_strike_is_deferred_for_a_limited_time() {
        let mut messages = Unacknowledged::default();
        messages.connected();
        assert_eq!(messages.deferred_until(7), None, "no strike yet");
        messages.acknowledged_something();
        messages.unanswered(std::iter::once(7));
        messages.connected();
        let until = messages.deferred_until(7).unwrap();
        assert_eq!(messages.deferred_until(8), None);
        messages.acknowledged_something();
        assert_eq!(
            messages.deferred_until(7),
            Some(until),
            "presence does not end the deferral"
        );
        tokio::time::sleep_until(until).await;
        assert_eq!(messages.deferred_until(7), None);
        messages.connected();
        assert!(messages.deferred_until(7).is_some());
        messages.answered(1);
        assert_eq!(messages.deferred_until(7), None, "other messages get through");
        messages.forget(7);
        messages.connected();
        assert_eq!(messages.deferred_until(7), None);
    }

    #[test]
    fn purged_messages_use_bounded_memory() {
        let mut messages = Unacknowledged::default();
        messages.acknowledged_something();
        for id in 0..10_000 {
            messages.unanswered(std::iter::once(id));
        }
        assert_eq!(messages.strikes.len(), MAX_REMEMBERED);
    }
}
