//! Remembers takeovers of the session by other clients, until a connection has lasted for an hour.
//!
//! Two gateways with the same thing name take the session from each other every few seconds, and look healthy in between. The problem
//! therefore stays in the status while the session is connected.

use std::future::pending;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use super::problems;
use crate::clock::rfc3339;
use crate::problem::Problem;
use crate::status::TakeoverDetails;

/// A connection that lasts this long proves that no other client uses the thing name any more.
const QUIET_PERIOD: Duration = Duration::from_secs(3600);

/// Takeovers since the last connection that lasted for an hour.
#[derive(Debug, Default)]
pub struct Takeovers {
    seen: Option<Seen>,
    /// Time at which the current connection will have lasted for an hour.
    quiet_at: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    times: u64,
    first: SystemTime,
    last: SystemTime,
}

impl Takeovers {
    /// Records a takeover by another client.
    pub(super) fn record(&mut self, now: SystemTime) {
        let seen = self.seen.get_or_insert(Seen {
            times: 0,
            first: now,
            last: now,
        });
        seen.times = seen.times.saturating_add(1);
        seen.last = now;
    }

    /// Starts with a new connection.
    pub(super) fn connected(&mut self, now: Instant) {
        self.quiet_at = self.seen.as_ref().map(|_| now + QUIET_PERIOD);
    }

    /// Handles the end of the connection.
    pub(super) fn disconnected(&mut self) {
        self.quiet_at = None;
    }

    /// Returns once the connection has lasted for an hour. The future borrows nothing.
    pub(super) fn quiet_period_ends(&self) -> impl Future<Output = ()> + use<> {
        let at = self.quiet_at;
        async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        }
    }

    /// Forgets all takeovers.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Returns the problem to report while the session is connected. The number of takeovers is in the details only, because each change of
    /// a problem is logged.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.seen.as_ref().map(|_| problems::taken_over())
    }

    /// Returns the details for the status.
    pub(super) fn details(&self) -> Option<TakeoverDetails> {
        self.seen.as_ref().map(|seen| TakeoverDetails {
            times: seen.times,
            since: rfc3339(seen.first),
            last: rfc3339(seen.last),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn takeovers_are_remembered_until_a_connection_has_lasted_for_an_hour() {
        let second = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut takeovers = Takeovers::default();
        takeovers.connected(Instant::now());
        assert!(
            timeout(10 * QUIET_PERIOD, takeovers.quiet_period_ends()).await.is_err(),
            "there is nothing to forget"
        );
        assert_eq!((takeovers.problem(), takeovers.details()), (None, None));
        for (at, times) in [(100, 1), (160, 2), (220, 3)] {
            takeovers.record(second(at));
            takeovers.disconnected();
            assert!(
                timeout(10 * QUIET_PERIOD, takeovers.quiet_period_ends()).await.is_err(),
                "an hour without a session is not a quiet period"
            );
            takeovers.connected(Instant::now());
            assert!(takeovers.problem().is_some());
            let details = takeovers.details().unwrap();
            assert_eq!((details.times, details.since), (times, rfc3339(second(100))));
            assert_eq!(details.last, rfc3339(second(at)));
        }
        assert!(
            timeout(QUIET_PERIOD - Duration::from_secs(1), takeovers.quiet_period_ends())
                .await
                .is_err()
        );
        timeout(Duration::from_secs(2), takeovers.quiet_period_ends())
            .await
            .unwrap();
        takeovers.forget();
        assert_eq!((takeovers.problem(), takeovers.details()), (None, None));
    }
}
