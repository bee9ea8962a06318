//! Remembers that other clients have taken the session over, until it has been stable for an hour.
//!
//! Two gateways with one thing name take the session from each other within seconds, and between two takeovers each of them is
//! connected and looks healthy. So the fault stays in the status while the session is up.

use std::future::pending;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use super::problems;
use crate::clock::rfc3339;
use crate::problem::Problem;
use crate::status::TakeoverDetails;

/// A connection that has lasted so long was not taken over; nobody else uses this thing name any more.
const CALM: Duration = Duration::from_secs(3600);

/// The takeovers since the last calm hour.
#[derive(Debug, Default)]
pub struct Takeovers {
    seen: Option<Seen>,
    /// When the present connection will have been stable for an hour.
    calm_at: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    times: u64,
    first: SystemTime,
    last: SystemTime,
}

impl Takeovers {
    /// Another client has taken the session over.
    pub(super) fn happened(&mut self, now: SystemTime) {
        let seen = self.seen.get_or_insert(Seen {
            times: 0,
            first: now,
            last: now,
        });
        seen.times = seen.times.saturating_add(1);
        seen.last = now;
    }

    /// A connection begins.
    pub(super) fn connected(&mut self, now: Instant) {
        self.calm_at = self.seen.as_ref().map(|_| now + CALM);
    }

    /// The connection has ended.
    pub(super) fn disconnected(&mut self) {
        self.calm_at = None;
    }

    /// Returns once the connection has been stable for an hour; borrows nothing.
    pub(super) fn calm(&self) -> impl Future<Output = ()> + use<> {
        let at = self.calm_at;
        async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        }
    }

    /// Forgets all of them.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The problem to show while the session is up. The numbers are in the details: they would make the problem news each time.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.seen.as_ref().map(|_| problems::taken_over())
    }

    /// Their details in the status.
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
    async fn they_are_kept_until_a_connection_has_lasted_for_an_hour() {
        let second = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut takeovers = Takeovers::default();
        takeovers.connected(Instant::now());
        assert!(
            timeout(10 * CALM, takeovers.calm()).await.is_err(),
            "there is nothing to forget"
        );
        assert_eq!((takeovers.problem(), takeovers.details()), (None, None));
        for (at, times) in [(100, 1), (160, 2), (220, 3)] {
            takeovers.happened(second(at));
            takeovers.disconnected();
            assert!(
                timeout(10 * CALM, takeovers.calm()).await.is_err(),
                "an hour without a session is not calm"
            );
            takeovers.connected(Instant::now());
            assert!(takeovers.problem().is_some());
            let details = takeovers.details().unwrap();
            assert_eq!((details.times, details.since), (times, rfc3339(second(100))));
            assert_eq!(details.last, rfc3339(second(at)));
        }
        assert!(timeout(CALM - Duration::from_secs(1), takeovers.calm()).await.is_err());
        timeout(Duration::from_secs(2), takeovers.calm()).await.unwrap();
        takeovers.forget();
        assert_eq!((takeovers.problem(), takeovers.details()), (None, None));
    }
}
