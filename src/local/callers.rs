//! How many connections there may be, and which one goes when another wants in.
//!
//! Nobody can lock others out by opening connections: beyond the limits the one that has idled longest makes room, and only
//! a user whose every connection is in the middle of a request is told to wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections of one user.
const PER_UID: usize = 64;
/// Connections in all; well below the 1024 descriptors that a service may have by default.
const TOTAL: usize = 512;

/// One connection's entry.
#[derive(Debug)]
pub struct Caller {
    uid: u32,
    busy: AtomicBool,
    /// When it was last heard of: a count, not a time.
    heard: AtomicU64,
    count: Arc<AtomicU64>,
    leave: Notify,
}

impl Caller {
    /// Waits until this connection must make room for another.
    pub async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Marks the connection busy until the guard is dropped: a busy one is never sent away.
    pub fn busy(&self) -> Busy<'_> {
        self.busy.store(true, Ordering::Relaxed);
        self.heard();
        Busy(self)
    }

    fn heard(&self) {
        let now = self.count.fetch_add(1, Ordering::Relaxed);
        self.heard.store(now, Ordering::Relaxed);
    }
}

/// See [`Caller::busy`].
#[derive(Debug)]
pub struct Busy<'a>(&'a Caller);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    all: Arc<Mutex<Vec<Arc<Caller>>>>,
    count: Arc<AtomicU64>,
}

impl Callers {
    /// Enters a connection of `uid`, sending an idle one away if a limit is reached; `None` if all of them are busy.
    pub fn enter(&self, uid: u32) -> Option<Entered> {
        let mut callers = self.lock();
        let of_uid = callers.iter().filter(|caller| caller.uid == uid).count();
        if of_uid >= PER_UID {
            send_away(&mut callers, |caller| caller.uid == uid)?;
        } else if callers.len() >= TOTAL {
            send_away(&mut callers, |_| true)?;
        }
        let caller = Arc::new(Caller {
            uid,
            busy: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            count: self.count.clone(),
            leave: Notify::new(),
        });
        caller.heard();
        callers.push(caller.clone());
        Some(Entered {
            callers: self.clone(),
            caller,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Caller>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest-waiting idle one of those that `among` accepts leaves.
fn send_away(callers: &mut Vec<Arc<Caller>>, among: impl Fn(&Caller) -> bool) -> Option<()> {
    let (longest_idle, _) = callers
        .iter()
        .enumerate()
        .filter(|(_, caller)| among(caller) && !caller.busy.load(Ordering::Relaxed))
        .min_by_key(|(_, caller)| caller.heard.load(Ordering::Relaxed))?;
    callers.swap_remove(longest_idle).leave.notify_one();
    Some(())
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub struct Entered {
    callers: Callers,
    /// The entry.
    pub caller: Arc<Caller>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.callers.lock().retain(|caller| !Arc::ptr_eq(caller, &self.caller));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_connection_makes_room_and_other_users_keep_theirs() {
        let callers = Callers::default();
        let other = callers.enter(2).unwrap();
        let mut mine: Vec<Entered> = (0..PER_UID).map(|_| callers.enter(1).unwrap()).collect();
        let first = mine[0].caller.clone();
        let busy = first.busy();
        mine.push(callers.enter(1).unwrap());
        let left = |entered: &Entered| !callers.lock().iter().any(|caller| Arc::ptr_eq(caller, &entered.caller));
        assert!(!left(&mine[0]) && left(&mine[1]) && !left(&other));
        drop(busy);
        mine.push(callers.enter(1).unwrap());
        assert!(
            !left(&mine[0]) && left(&mine[2]),
            "who has just asked something has not idled longest"
        );
    }

    #[test]
    fn a_user_who_is_all_busy_waits_and_places_come_back() {
        let callers = Callers::default();
        let mine: Vec<Entered> = (0..PER_UID).map(|_| callers.enter(1).unwrap()).collect();
        let busy: Vec<_> = mine.iter().map(|entered| entered.caller.busy()).collect();
        assert!(callers.enter(1).is_none());
        assert!(callers.enter(2).is_some());
        drop(busy);
        drop(mine);
        assert!(callers.lock().is_empty());
    }
}
