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

use super::answer::Refusal;
use super::caller::{Caller, Holder};
use crate::clock::SharedClock;

/// Requests a second that are answered for as long as they come. An SDK asks at most once for each call it signs.
const RATE: u32 = 500;
/// Requests answered at once after a time of quiet, without a wait: every program of a user may start at the same time.
const BURST: u32 = 100;
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
    Stranger,
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

    /// Lets a request of `caller` pass when it is its turn, or refuses it after a while. `None` is somebody without a token.
    ///
    /// # Errors
    /// 429, if that caller has too many requests waiting.
    pub async fn admit(&self, caller: Option<&Caller>) -> Result<(), Refusal> {
        let asker = match caller {
            Some(Caller::Peer(peer)) if peer.uid == 0 || peer.uid == self.own => return Ok(()),
            Some(Caller::Peer(peer)) => Asker::User(peer.uid),
            Some(Caller::Bearer(holder)) => Asker::Bearer(holder.clone()),
            None => Asker::Stranger,
        };
        match self.turn(asker) {
            Turn::Answered(Duration::ZERO) => Ok(()),
            Turn::Answered(wait) => {
                sleep(wait).await;
                Ok(())
            }
            Turn::Refused(wait) => {
                sleep(wait).await;
                Err(too_many(caller))
            }
        }
    }

    fn turn(&self, asker: Asker) -> Turn {
        let now = self.clock.boot();
        let mut all = self.turns.borrow_mut();
        if all.len() >= REMEMBERED && !all.contains_key(&asker) {
            all.retain(|_, turns| turns.due.max(turns.refused) > now);
        }
        let known = all.contains_key(&asker) || all.len() < REMEMBERED;
        let mut turns = all.get(&asker).copied().unwrap_or_default();
        let one = Duration::from_secs(1) / RATE;
        let due = turns.due.max(now) + one;
        let wait = due.saturating_sub(now + one * BURST);
        let turn = if known && wait <= LONGEST_WAIT {
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

fn too_many(caller: Option<&Caller>) -> Refusal {
    let who = caller.map_or_else(|| "callers without a token".to_owned(), ToString::to_string);
    let message = format!("{who}: too many requests at once; more than {RATE} a second are not answered");
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
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
        let ask = |uid| pace.turn(Asker::User(uid));
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
        assert_eq!(pace.turn(Asker::Stranger), Turn::Answered(Duration::ZERO));
        clock.pass(milliseconds(2));
        assert_eq!(ask(1), Turn::Answered(milliseconds(100)));
        clock.pass(Duration::from_secs(3600));
        for _ in 0..BURST {
            assert_eq!(ask(1), Turn::Answered(Duration::ZERO), "quiet is saved up to a burst");
        }
        assert_eq!(ask(1), Turn::Answered(milliseconds(2)), "and no further");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let clock = ManualClock::at(1_800_000_000);
        let pace = Pace::new(clock.clone());
        for uid in 0..10 * u32::try_from(REMEMBERED).unwrap() {
            clock.pass(Duration::from_micros(10));
            pace.turn(Asker::User(uid));
            assert!(pace.turns.borrow().len() <= REMEMBERED);
        }
    }
}
