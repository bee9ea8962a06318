//! How often a program may ask, so that one in a loop does not make the others wait.
//!
//! A request takes some ten microseconds of the one thread that answers. The requests of a user who asks more often than
//! any program needs to get their turns one by one, and when too many of them wait, the rest is answered 429, one by one as
//! well: it is the wait that leaves time for the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use tokio::time::sleep;

use super::admission::Origin;
use super::answer::ApiError;
use super::caller::{Caller, Holder};
use crate::clock::SharedClock;

/// Requests a second that are answered for as long as they come. An SDK asks at most once for each call it signs.
const RATE: u32 = 500;
/// Requests answered at once after a time of quiet, without a wait: every program of a user may start at the same time.
const BURST: u32 = 100;
const REQUESTS: Limit = Limit {
    rate: RATE,
    burst: BURST,
    patience: LONGEST_WAIT,
};
/// Connections of one user: each carries one request where a program makes a new one each time, and those that wait for
/// their turns do not hold up the next.
const CONNECTIONS: Limit = Limit {
    rate: 2 * RATE,
    burst: 5 * BURST,
    patience: Duration::ZERO,
};
/// Whoever would have to wait longer than this for his turn is refused.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// How long a refusal waits at least; short enough for an SDK that waits for one second.
const PENALTY: Duration = Duration::from_millis(100);
/// Users remembered; those who have not asked for a while are forgotten first.
const REMEMBERED: usize = 1024;

/// Who is counted as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Asker {
    User(u32),
    Bearer(Holder),
    /// Everybody on the Unix socket whom no rule names.
    Strangers,
    /// Everybody on the loopback listener who has shown no token.
    WithoutToken,
    /// A user's connections, beside its requests.
    Connecting(u32),
    StrangersConnecting,
}

/// What is let pass.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// In a second, for as long as they come.
    rate: u32,
    /// At once, after a time of quiet.
    burst: u32,
    /// Whoever would have to wait longer for his turn is refused.
    patience: Duration,
}

/// Everybody's pace.
#[derive(Debug)]
pub struct Pace {
    clock: SharedClock,
    /// The user that this daemon runs as: it and root could do worse than ask.
    own: u32,
    turns: RefCell<HashMap<Asker, Turns>>,
}

/// One asker's turns, by the boottime clock.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    /// When everything that was let pass is due at the steady rate (virtual scheduling: ITU-T I.371, generic cell rate
    /// algorithm).
    due: Duration,
    /// When the last refusal is told. One by one as well: whoever hears of it together comes back together.
    refused: Duration,
}

/// What becomes of a request, and after which wait.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Answered(Duration),
    Refused(Duration),
}

impl Pace {
    /// Nobody has asked yet.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            own: rustix::process::geteuid().as_raw(),
            turns: RefCell::default(),
        }
    }

    /// Whether this user is not limited.
    pub fn trusts(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own
    }

    /// Whether one more connection of `origin` is let in now. What comes faster is closed unread: a connection costs more than
    /// any request on it.
    pub fn admits_connection(&self, origin: &Origin) -> bool {
        let asker = match origin {
            Origin::Trusted | Origin::Unproven | Origin::Bearer(_) => return true,
            Origin::User(uid) => Asker::Connecting(*uid),
            Origin::Stranger => Asker::StrangersConnecting,
        };
        self.turn(asker, 1, CONNECTIONS) == Turn::Answered(Duration::ZERO)
    }

    /// Lets a request of `caller` pass when it is its turn, or refuses it after a while.
    ///
    /// # Errors
    /// 429, if that caller has too many requests waiting.
    pub async fn admit(&self, caller: &Caller) -> Result<(), ApiError> {
        self.charge(caller, 1).await
    }

    /// Like [`admit`](Self::admit), for work that takes as long as `turns` requests.
    ///
    /// # Errors
    /// Likewise.
    pub async fn charge(&self, caller: &Caller, turns: u32) -> Result<(), ApiError> {
        let asker = match caller {
            Caller::Peer(peer) if self.trusts(peer.uid) => return Ok(()),
            Caller::Peer(peer) => Asker::User(peer.account),
            Caller::Bearer(holder) => Asker::Bearer(holder.clone()),
        };
        match self.turn(asker, turns, REQUESTS) {
            Turn::Answered(Duration::ZERO) => Ok(()),
            Turn::Answered(wait) => {
                sleep(wait).await;
                Ok(())
            }
            Turn::Refused(wait) => {
                sleep(wait).await;
                Err(too_many(&caller.to_string()))
            }
        }
    }

    /// Lets a request pass of somebody who may have nothing, or refuses it at once: such a caller holds nothing while it waits.
    /// All of them on the Unix socket count as one, and so do those without a token on the loopback listener.
    ///
    /// # Errors
    /// 429, and the connection ends.
    pub fn admit_stranger(&self, origin: &Origin) -> Result<(), ApiError> {
        let (asker, who) = match origin {
            Origin::Unproven => (Asker::WithoutToken, "callers without a token"),
            _ => (Asker::Strangers, "users whom no access rule names"),
        };
        match self.turn(asker, 1, REQUESTS) {
            Turn::Answered(_) => Ok(()),
            Turn::Refused(_) => Err(too_many(who).and_close()),
        }
    }

    fn turn(&self, asker: Asker, cost: u32, limit: Limit) -> Turn {
        let Limit { rate, burst, patience } = limit;
        let now = self.clock.boot();
        let mut all = self.turns.borrow_mut();
        if all.len() >= REMEMBERED && !all.contains_key(&asker) {
            all.retain(|_, turns| turns.due.max(turns.refused) > now);
        }
        let known = all.contains_key(&asker) || all.len() < REMEMBERED;
        let mut turns = all.get(&asker).copied().unwrap_or_default();
        let one = Duration::from_secs(1) / rate;
        let due = turns.due.max(now) + one * cost;
        let wait = due.saturating_sub(now + one * burst);
        let turn = if known && wait <= patience {
            turns.due = due;
            Turn::Answered(wait)
        } else {
            turns.refused = (turns.refused + one).max(now + PENALTY);
            Turn::Refused(turns.refused - now)
        };
        if known {
            all.insert(asker, turns);
        }
        turn
    }
}

fn too_many(who: &str) -> ApiError {
    let message = format!("{who}: too many requests at once; more than {RATE} a second are not answered");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
        .header(RETRY_AFTER, "1")
        .hint("keep credentials until they are about to expire, as the SDKs do, instead of asking for each use")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    #[test]
    fn a_loop_is_slowed_down_and_a_crowd_is_refused() {
        let clock = ManualClock::at(1_800_000_000);
        let pace = Pace::new(clock.clone());
        let ask = |uid| pace.turn(Asker::User(uid), 1, REQUESTS);
        for _ in 0..BURST {
            assert_eq!(ask(1), Turn::Answered(Duration::ZERO));
        }
        let milliseconds = Duration::from_millis;
        for turn in 1..=50 {
            assert_eq!(ask(1), Turn::Answered(milliseconds(2 * turn)), "each has its turn");
        }
        assert_eq!(ask(1), Turn::Refused(milliseconds(100)));
        assert_eq!(ask(1), Turn::Refused(milliseconds(102)), "refusals are spread as well");
        assert_eq!(ask(2), Turn::Answered(Duration::ZERO), "another user notices nothing");
        assert!(pace.admit_stranger(&Origin::Stranger).is_ok() && pace.admit_stranger(&Origin::Unproven).is_ok());
        clock.pass(milliseconds(2));
        assert_eq!(ask(1), Turn::Answered(milliseconds(100)));
        clock.pass(Duration::from_secs(3600));
        for _ in 0..BURST {
            assert_eq!(ask(1), Turn::Answered(Duration::ZERO), "quiet is saved up to a burst");
        }
        assert_eq!(ask(1), Turn::Answered(milliseconds(2)), "and no further");
    }

    #[test]
    fn connections_are_limited_by_user_and_strangers_are_one() {
        let clock = ManualClock::at(1_800_000_000);
        let pace = Pace::new(clock.clone());
        let let_in = |origin: &dyn Fn(u32) -> Origin| {
            (0..10_000)
                .filter(|number| pace.admits_connection(&origin(*number)))
                .count()
        };
        let burst = usize::try_from(CONNECTIONS.burst).unwrap();
        assert_eq!(let_in(&|_| Origin::User(1)), burst);
        assert_eq!(let_in(&|_| Origin::User(2)), burst, "another user notices nothing");
        assert_eq!(let_in(&|_| Origin::Stranger), burst, "however many users they are");
        for unlimited in [Origin::Trusted, Origin::Unproven] {
            assert_eq!(let_in(&|_| unlimited.clone()), 10_000, "{unlimited:?}");
        }
        clock.pass(Duration::from_millis(10));
        assert_eq!(
            let_in(&|_| Origin::User(1)),
            10,
            "a flood is let in at the rate, and not locked out"
        );
    }

    #[test]
    fn strangers_are_refused_at_once_and_costly_work_is_charged() {
        let clock = ManualClock::at(1_800_000_000);
        let pace = Pace::new(clock.clone());
        let answered = (0..10_000)
            .filter(|_| pace.admit_stranger(&Origin::Stranger).is_ok())
            .count();
        assert_eq!(answered, usize::try_from(BURST + 50).unwrap());
        assert!(pace.admit_stranger(&Origin::Unproven).is_ok(), "another door");
        let turn = |turns| pace.turn(Asker::User(1), turns, REQUESTS);
        for _ in 0..10 {
            assert_eq!(turn(10), Turn::Answered(Duration::ZERO));
        }
        assert_eq!(
            turn(10),
            Turn::Answered(Duration::from_millis(20)),
            "it has used up its burst"
        );
        assert_eq!(turn(1), Turn::Answered(Duration::from_millis(22)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let clock = ManualClock::at(1_800_000_000);
        let pace = Pace::new(clock.clone());
        for uid in 0..10 * u32::try_from(REMEMBERED).unwrap() {
            clock.pass(Duration::from_micros(10));
            pace.turn(Asker::User(uid), 1, REQUESTS);
            assert!(pace.turns.borrow().len() <= REMEMBERED);
        }
    }
}
