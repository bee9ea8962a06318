//! Detects that the session itself ends every connection: AWS resends a queued message, and the same protocol error follows each time.
//!
//! Reconnecting does not help. After three connections in a row that resumed the session and soon ended by the same error, the next
//! one makes a clean start: AWS discards its queue, and later messages arrive again. This loses messages, so it is reported, and
//! done at most once an hour.
//!
//! An error that follows a SUBSCRIBE is handled by [`FilterErrors`](super::filter_errors::FilterErrors). The message may be in the
//! session from then on. If the next connection that resumes the session ends by the same error, the session is discarded at once,
//! even within the hour, because the strikes of the filter limit how often that happens.

use std::time::Duration;

use tokio::time::Instant;

use crate::mqtt::ProtocolError;

/// Number of connections in a row that must have ended by the same error.
const MIN_ENDS: u32 = 3;
/// A connection that lasts this long proves that the error does not come with the session.
const STABLE: Duration = Duration::from_secs(30);
/// Minimum time between two clean starts.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Protocol errors that followed a resumed session.
#[derive(Debug, Default)]
pub(super) struct IncomingPoison {
    /// Whether the current connection resumed the session, and its start.
    connection: Option<(bool, Instant)>,
    /// The error that ended the last connections, and their number.
    seen: Option<(ProtocolError, u32)>,
    /// The error that followed a SUBSCRIBE in this session.
    followed_subscribe: Option<ProtocolError>,
    /// Time at which the session was last discarded.
    discarded: Option<Instant>,
}

impl IncomingPoison {
    /// Returns whether the next connection should make a clean start. A connection that replaces an open one should not, because the
    /// session works.
    pub(super) fn clean_start_is_due(&self) -> bool {
        self.connection.is_none() && self.must_be_discarded()
    }

    /// Returns whether the session must be discarded.
    fn must_be_discarded(&self) -> bool {
        let Some((error, ends)) = self.seen else {
            return false;
        };
        let is_too_soon = self.discarded.is_some_and(|then| then.elapsed() < INTERVAL);
        self.followed_subscribe == Some(error) || (!is_too_soon && ends >= MIN_ENDS)
    }

    /// Starts with a connection. If the session was discarded because of a protocol error, returns that error.
    pub(super) fn connected(&mut self, session_present: bool) -> Option<ProtocolError> {
        let now = Instant::now();
        self.connection = Some((session_present, now));
        if session_present {
            return None;
        }
        let is_discarded = self.must_be_discarded();
        self.followed_subscribe = None;
        if !is_discarded {
            return None;
        }
        self.discarded = Some(now);
        self.seen.take().map(|(error, _)| error)
    }

    /// Handles the end of the connection, by a protocol error or otherwise; `with_filter` if it followed a SUBSCRIBE.
    pub(super) fn disconnected(&mut self, error: Option<ProtocolError>, with_filter: bool) {
        let Some((resumed, since)) = self.connection.take() else {
            return;
        };
        let stable = since.elapsed() >= STABLE;
        match error {
            Some(error) if with_filter => (self.seen, self.followed_subscribe) = (None, Some(error)),
            Some(error) if resumed => {
                let before = self
                    .seen
                    .filter(|(seen, _)| !stable && *seen == error)
                    .map_or(0, |(_, ends)| ends);
                self.seen = Some((error, before.saturating_add(1)));
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

    fn end(poison: &mut IncomingPoison, resumed: bool, error: Option<ProtocolError>) {
        assert_eq!(poison.connected(resumed), None);
        poison.disconnected(error, false);
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_protocol_error_that_follows_the_session_three_times_costs_the_session_once() {
        let mut poison = IncomingPoison::default();
        for _ in 0..3 {
            assert!(!poison.clean_start_is_due());
            end(&mut poison, true, Some(ALIAS));
        }
        assert!(poison.clean_start_is_due());
        assert_eq!(poison.connected(false), Some(ALIAS), "reported once");
        poison.disconnected(None, false);
        // The error continues, but nothing more is discarded within the next hour.
        for _ in 0..9 {
            end(&mut poison, true, Some(ALIAS));
            assert!(!poison.clean_start_is_due());
        }
        tokio::time::advance(INTERVAL).await;
        assert!(poison.clean_start_is_due());
    }

    #[tokio::test(start_paused = true)]
    async fn protocol_errors_without_the_session_discard_nothing() {
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
            for (resumed, error, seconds) in *ends {
                assert_eq!(poison.connected(*resumed), None, "{what}");
                tokio::time::advance(Duration::from_secs(*seconds)).await;
                poison.disconnected(*error, false);
                assert!(!poison.clean_start_is_due(), "{what}");
            }
        }
        // A network failure in between changes nothing.
        let mut poison = IncomingPoison::default();
        for error in [Some(ALIAS), None, Some(ALIAS), None, Some(ALIAS)] {
            end(&mut poison, true, error);
        }
        assert!(poison.clean_start_is_due());
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_protocol_error_that_has_come_with_a_filter_costs_the_session_at_once_and_each_time() {
        let mut poison = IncomingPoison::default();
        for _ in 0..3 {
            // A retained message at QoS 1: AWS sends it again when the session is resumed.
            poison.connected(false);
            poison.disconnected(Some(ALIAS), true);
            assert!(!poison.clean_start_is_due(), "at QoS 0 it is not sent again");
            end(&mut poison, true, Some(ALIAS));
            assert!(poison.clean_start_is_due());
            assert_eq!(poison.connected(false), Some(ALIAS));
            poison.disconnected(None, false);
            assert!(!poison.clean_start_is_due());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_protocol_error_or_another_session_is_not_blamed_on_the_filter() {
        let mut poison = IncomingPoison::default();
        poison.connected(false);
        poison.disconnected(Some(ALIAS), true);
        end(&mut poison, true, Some(OTHER));
        assert!(!poison.clean_start_is_due(), "another protocol error");
        // The session was lost with all its messages.
        end(&mut poison, false, None);
        end(&mut poison, true, Some(ALIAS));
        assert!(!poison.clean_start_is_due(), "another session");
        // The connection held, so the message did not arrive again.
        poison.connected(true);
        poison.disconnected(Some(ALIAS), true);
        poison.connected(true);
        tokio::time::advance(STABLE).await;
        poison.disconnected(None, false);
        end(&mut poison, true, Some(ALIAS));
        assert!(!poison.clean_start_is_due(), "a stable connection between");
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_connection_keeps_its_session() {
        let mut poison = IncomingPoison::default();
        for _ in 0..3 {
            end(&mut poison, true, Some(ALIAS));
        }
        // The network was lost with the CONNACK of the clean start, and AWS resumed the session after all.
        assert!(poison.clean_start_is_due());
        assert_eq!(poison.connected(true), None);
        assert!(
            !poison.clean_start_is_due(),
            "a connection that replaces it resumes the session"
        );
        tokio::time::advance(STABLE).await;
        assert!(!poison.clean_start_is_due());
        poison.disconnected(None, false);
        assert!(!poison.clean_start_is_due(), "it was stable");
    }
}
