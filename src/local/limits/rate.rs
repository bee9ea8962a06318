//! Limits the request rate of each user and token holder, so that a program in a loop does not delay the others.
//!
//! A request takes some ten microseconds of the one thread that serves all programs. Requests above the rate are delayed,
//! and when the delay would become too long they are rejected. Rejections are delayed as well, because it is the delay that
//! leaves time for the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::time::sleep;

use super::admission::Origin;
use crate::clock::SharedClock;
use crate::local::caller::{Caller, TokenHolder};

/// Sustained requests a second. An SDK requests credentials at most once for each call that it signs.
const RATE: u32 = 500;
/// Requests that are served without delay after an idle time: all programs of a user may start at the same moment.
const BURST: u32 = 100;
const REQUESTS: Limit = Limit {
    rate: RATE,
    burst: BURST,
    max_delay: MAX_DELAY,
};
/// Limit of a user's new connections: a program may open one for each request, and a delayed request must not hold up the
/// next.
const CONNECTIONS: Limit = Limit {
    rate: 2 * RATE,
    burst: 5 * BURST,
    max_delay: Duration::ZERO,
};
/// Limit of a caller's MQTT packets, which cost a few microseconds each. A connection above it is read more slowly.
const PACKETS: Limit = Limit {
    rate: 10_000,
    burst: 5_000,
    max_delay: Duration::MAX,
};
/// Maximum delay. A request that would be delayed longer is rejected.
const MAX_DELAY: Duration = Duration::from_millis(100);
/// Minimum delay of a rejection; short enough for an SDK whose timeout is one second.
const REJECTION_DELAY: Duration = Duration::from_millis(100);
/// Maximum number of buckets. Idle ones are removed first.
const MAX_BUCKETS: usize = 1024;

/// The callers that share a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Bucket {
    User(u32),
    Bearer(TokenHolder),
    /// All users of the Unix socket whom no rule names.
    Unnamed,
    /// All callers of the loopback listener without a token.
    WithoutToken,
    /// New connections of a user.
    UserConnections(u32),
    /// New connections of users whom no rule names.
    UnnamedConnections,
    /// MQTT packets of a user.
    UserPackets(u32),
    /// MQTT packets of a token holder.
    BearerPackets(TokenHolder),
}

/// A rate with its burst.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// Sustained requests a second.
    rate: u32,
    /// Requests without delay after an idle time.
    burst: u32,
    /// Maximum delay before a request is rejected.
    max_delay: Duration,
}

/// Limits the request rate of each caller.
#[derive(Debug)]
pub struct RateLimiter {
    clock: SharedClock,
    /// The user that this daemon runs as. It and root are exempt, because they could do more harm in other ways.
    own_uid: u32,
    schedules: RefCell<HashMap<Bucket, Schedule>>,
}

/// The schedule of a bucket, by the boottime clock.
#[derive(Clone, Copy, Debug, Default)]
struct Schedule {
    /// Theoretical arrival time of the next request at the sustained rate (generic cell rate algorithm, ITU-T I.371).
    due: Duration,
    /// The time of the last rejection. Rejections are spread, because callers that are rejected together retry together.
    last_rejection: Duration,
}

/// The decision about a request, with its delay.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Accept(Duration),
    Reject(Duration),
}

impl RateLimiter {
    /// Creates a limiter without any buckets.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            own_uid: rustix::process::geteuid().as_raw(),
            schedules: RefCell::default(),
        }
    }

    /// Returns whether this user is exempt: root, and the user that the daemon runs as.
    pub fn is_exempt(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    /// Returns whether one more connection of `origin` is accepted now. A connection above the rate is closed unread, because
    /// it costs more than any request on it.
    pub fn admits_connection(&self, origin: &Origin) -> bool {
        let bucket = match origin {
            Origin::Trusted | Origin::WithoutToken | Origin::Bearer(_) => return true,
            Origin::User(uid) => Bucket::UserConnections(*uid),
            Origin::Unnamed => Bucket::UnnamedConnections,
        };
        self.decide(bucket, 1, CONNECTIONS) == Decision::Accept(Duration::ZERO)
    }

    /// Delays a request of `caller` as its rate requires.
    ///
    /// # Errors
    /// If the delay would be too long. The error comes after a delay as well.
    pub async fn admit(&self, caller: &Caller) -> Result<(), RateLimitError> {
        self.charge(caller, 1).await
    }

    /// Delays work that takes as long as `cost` requests.
    ///
    /// # Errors
    /// Like [`admit`](Self::admit).
    pub async fn charge(&self, caller: &Caller, cost: u32) -> Result<(), RateLimitError> {
        let bucket = match caller {
            Caller::Peer(peer) if self.is_exempt(peer.uid) => return Ok(()),
            Caller::Peer(peer) => Bucket::User(peer.account),
            Caller::Bearer(holder) => Bucket::Bearer(holder.clone()),
        };
        match self.decide(bucket, cost, REQUESTS) {
            Decision::Accept(Duration::ZERO) => Ok(()),
            Decision::Accept(delay) => {
                sleep(delay).await;
                Ok(())
            }
            Decision::Reject(delay) => {
                sleep(delay).await;
                Err(RateLimitError {
                    who: caller.to_string(),
                })
            }
        }
    }

    /// Returns how long to wait before more MQTT packets of `caller` are read, after `count` of them.
    pub fn packet_delay(&self, caller: &Caller, count: u32) -> Duration {
        let bucket = match caller {
            Caller::Peer(peer) if self.is_exempt(peer.uid) => return Duration::ZERO,
            Caller::Peer(peer) => Bucket::UserPackets(peer.account),
            Caller::Bearer(holder) => Bucket::BearerPackets(holder.clone()),
        };
        match self.decide(bucket, count, PACKETS) {
            Decision::Accept(delay) | Decision::Reject(delay) => delay,
        }
    }

    /// Accepts or rejects at once a request of a caller that no rule names, or that has no token: such a caller must not occupy a
    /// connection during a delay. All of them on a listener share one limit.
    ///
    /// # Errors
    /// If the request is rejected. The connection must be closed.
    pub fn admit_unnamed(&self, origin: &Origin) -> Result<(), RateLimitError> {
        let (bucket, who) = match origin {
            Origin::WithoutToken => (Bucket::WithoutToken, "callers without a token"),
            _ => (Bucket::Unnamed, "users whom no access rule names"),
        };
        match self.decide(bucket, 1, REQUESTS) {
            Decision::Accept(_) => Ok(()),
            Decision::Reject(_) => Err(RateLimitError { who: who.to_owned() }),
        }
    }

    fn decide(&self, bucket: Bucket, cost: u32, limit: Limit) -> Decision {
        let Limit { rate, burst, max_delay } = limit;
        let now = self.clock.boot();
        let mut schedules = self.schedules.borrow_mut();
        if schedules.len() >= MAX_BUCKETS && !schedules.contains_key(&bucket) {
            schedules.retain(|_, schedule| schedule.due.max(schedule.last_rejection) > now);
        }
        let has_room = schedules.contains_key(&bucket) || schedules.len() < MAX_BUCKETS;
        let mut schedule = schedules.get(&bucket).copied().unwrap_or_default();
        let one = Duration::from_secs(1) / rate;
        let due = schedule.due.max(now) + one * cost;
        let delay = due.saturating_sub(now + one * burst);
        let decision = if has_room && delay <= max_delay {
            schedule.due = due;
            Decision::Accept(delay)
        } else {
            schedule.last_rejection = (schedule.last_rejection + one).max(now + REJECTION_DELAY);
            Decision::Reject(schedule.last_rejection - now)
        };
        if has_room {
            schedules.insert(bucket, schedule);
        }
        decision
    }
}

/// The caller sends requests faster than its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitError {
    who: String,
}

impl fmt::Display for RateLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = &self.who;
        write!(
            f,
            "{who}: too many requests at once; more than {RATE} a second are not answered"
        )
    }
}

#[cfg(test)]
mod tests;
