//! Detects that the session itself ends every connection: AWS sends again what it has queued, and each time the same breach
//! of the protocol follows.
//!
//! Reconnecting does not mend that. After three connections in a row that resumed the session and ended soon by the same breach,
//! the next one begins with a clean start: AWS then drops what it had queued, and everything behind the bad message arrives
//! again from then on. That loses messages, so it is said, and done once an hour at the most.
//!
//! A breach that follows a SUBSCRIBE is the filter's affair ([`FilterBreaches`](super::filter_breaches::FilterBreaches)). The message
//! may be in the session from then on; if the next connection that resumes it ends by the same breach, the session is discarded at
//! once, the hour notwithstanding: the filter's strikes bound how often that happens.

use std::time::Duration;

use tokio::time::Instant;

use crate::mqtt::ProtocolError;

/// So many connections in a row must have ended by the same breach.
const ENDS: u32 = 3;
/// A connection that held for so long without the breach proves that it does not come with the session.
const STABLE: Duration = Duration::from_secs(30);
/// The least time between two clean starts.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Counts breaches that follow a resumed session.
#[derive(Debug, Default)]
pub(super) struct IncomingPoison {
    /// Whether this connection has resumed the session, and since when it lasts.
    connection: Option<(bool, Instant)>,
    /// The breach that ended the last connections, and how many in a row.
    seen: Option<(ProtocolError, u32)>,
    /// The breach that has followed a SUBSCRIBE on this session.
    followed_subscribe: Option<ProtocolError>,
    /// When the session was last discarded.
    discarded: Option<Instant>,
}

impl IncomingPoison {
    /// Whether the next connection is to begin with a clean start. Not the one that takes the place of a connection that lasts:
    /// the session of that one is sound so far.
    pub(super) fn clean_start_is_due(&self) -> bool {
        self.connection.is_none() && self.is_condemned()
    }

    fn is_condemned(&self) -> bool {
        let Some((breach, ends)) = self.seen else {
            return false;
        };
        let waits = self.discarded.is_some_and(|then| then.elapsed() < INTERVAL);
        self.followed_subscribe == Some(breach) || (!waits && ends >= ENDS)
    }

    /// Connected. Returns the breach because of which the session was discarded, where it was.
    pub(super) fn connected(&mut self, session_present: bool) -> Option<ProtocolError> {
        let now = Instant::now();
        self.connection = Some((session_present, now));
        if session_present {
            return None;
        }
        let is_discarded = self.is_condemned();
        self.followed_subscribe = None;
        if !is_discarded {
            return None;
        }
        self.discarded = Some(now);
        self.seen.take().map(|(breach, _)| breach)
    }

    /// The connection has ended, by a breach or otherwise. `with_filter` if the breach came with the subscription to a filter.
    pub(super) fn disconnected(&mut self, breach: Option<ProtocolError>, with_filter: bool) {
        let Some((resumed, since)) = self.connection.take() else {
            return;
        };
        let stable = since.elapsed() >= STABLE;
        match breach {
            Some(breach) if with_filter => (self.seen, self.followed_subscribe) = (None, Some(breach)),
            Some(breach) if resumed => {
                let before = self
                    .seen
                    .filter(|(seen, _)| !stable && *seen == breach)
                    .map_or(0, |(_, ends)| ends);
                self.seen = Some((breach, before.saturating_add(1)));
            }
            None if stable => (self.seen, self.followed_subscribe) = (None, None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIAS: ProtocolError = ProtocolError::BEFORE_CONNACK;
    const OTHER: ProtocolError = ProtocolError::SESSION_AFTER_CLEAN_START;

    fn end(poison: &mut IncomingPoison, resumed: bool, breach: Option<ProtocolError>) {
        assert_eq!(poison.connected(resumed), None);
        poison.disconnected(breach, false);
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_breach_that_follows_the_session_three_times_costs_the_session_once() {
        let mut poison = IncomingPoison::default();
        for _ in 0..3 {
            assert!(!poison.clean_start_is_due());
            end(&mut poison, true, Some(ALIAS));
        }
        assert!(poison.clean_start_is_due());
        assert_eq!(poison.connected(false), Some(ALIAS), "said once");
        poison.disconnected(None, false);
        // It goes on at once: the next hour nothing more is thrown away for it.
        for _ in 0..9 {
            end(&mut poison, true, Some(ALIAS));
            assert!(!poison.clean_start_is_due());
        }
        tokio::time::advance(INTERVAL).await;
        assert!(poison.clean_start_is_due());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_with_the_session_costs_nothing() {
        type End = (bool, Option<ProtocolError>, u64);
        let cases: &[(&str, &[End])] = &[
            ("new sessions", &[(false, Some(ALIAS), 0); 9]),
            ("the network", &[(true, None, 0); 9]),
            (
                "one after the other",
                &[(true, Some(ALIAS), 0), (true, Some(OTHER), 0), (true, Some(ALIAS), 0)],
            ),
            (
                "a stable connection between",
                &[
                    (true, Some(ALIAS), 0),
                    (true, Some(ALIAS), 0),
                    (true, None, 30),
                    (true, Some(ALIAS), 0),
                ],
            ),
            ("each after a stable connection", &[(true, Some(ALIAS), 86_400); 9]),
            (
                "the third after a stable connection",
                &[
                    (true, Some(ALIAS), 0),
                    (true, Some(ALIAS), 0),
                    (true, Some(ALIAS), 30),
                    (true, Some(ALIAS), 0),
                ],
            ),
        ];
        for (what, ends) in cases {
            let mut poison = IncomingPoison::default();
            for (resumed, breach, seconds) in *ends {
                assert_eq!(poison.connected(*resumed), None, "{what}");
                tokio::time::advance(Duration::from_secs(*seconds)).await;
                poison.disconnected(*breach, false);
                assert!(!poison.clean_start_is_due(), "{what}");
            }
        }
        // A network that breaks at once in between changes nothing.
        let mut poison = IncomingPoison::default();
        for breach in [Some(ALIAS), None, Some(ALIAS), None, Some(ALIAS)] {
            end(&mut poison, true, breach);
        }
        assert!(poison.clean_start_is_due());
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_breach_that_has_come_with_a_filter_costs_the_session_at_once_and_each_time() {
        let mut poison = IncomingPoison::default();
        for _ in 0..3 {
            // A retained message at quality of service 1: AWS sends it again when the session is resumed.
            poison.connected(false);
            poison.disconnected(Some(ALIAS), true);
            assert!(
                !poison.clean_start_is_due(),
                "at quality of service 0 it does not come again"
            );
            end(&mut poison, true, Some(ALIAS));
            assert!(poison.clean_start_is_due());
            assert_eq!(poison.connected(false), Some(ALIAS));
            poison.disconnected(None, false);
            assert!(!poison.clean_start_is_due());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_breach_of_another_kind_or_of_another_session_is_none_that_came_with_the_filter() {
        let mut poison = IncomingPoison::default();
        poison.connected(false);
        poison.disconnected(Some(ALIAS), true);
        end(&mut poison, true, Some(OTHER));
        assert!(!poison.clean_start_is_due(), "another breach");
        // The session was lost with all that was in it.
        end(&mut poison, false, None);
        end(&mut poison, true, Some(ALIAS));
        assert!(!poison.clean_start_is_due(), "another session");
        // It has held: whatever came with the filter did not come again.
        poison.connected(true);
        poison.disconnected(Some(ALIAS), true);
        poison.connected(true);
        tokio::time::advance(STABLE).await;
        poison.disconnected(None, false);
        end(&mut poison, true, Some(ALIAS));
        assert!(!poison.clean_start_is_due(), "a stable connection between");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_lasts_keeps_its_session() {
        let mut poison = IncomingPoison::default();
        for _ in 0..3 {
            end(&mut poison, true, Some(ALIAS));
        }
        // The network was lost with the CONNACK of the clean start, and AWS resumed the session after all.
        assert!(poison.clean_start_is_due());
        assert_eq!(poison.connected(true), None);
        assert!(!poison.clean_start_is_due(), "a successor resumes what works");
        tokio::time::advance(STABLE).await;
        assert!(!poison.clean_start_is_due());
        poison.disconnected(None, false);
        assert!(!poison.clean_start_is_due(), "it was stable");
    }
}
