//! How many connections there may be, and which one goes when another wants in.
//!
//! Nobody can lock others out by opening connections: beyond the limits the one that has idled longest makes room, and only
//! a user whose every connection is in the middle of a request is told to wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
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
        Busy(self)
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

/// All connections, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<Mutex<VecDeque<Arc<Caller>>>>);

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
            leave: Notify::new(),
        });
        callers.push_back(caller.clone());
        Some(Entered {
            callers: self.clone(),
            caller,
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Caller>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest-waiting idle one of those that `among` accepts leaves.
fn send_away(callers: &mut VecDeque<Arc<Caller>>, among: impl Fn(&Caller) -> bool) -> Option<()> {
    let idle = callers
        .iter()
        .position(|caller| among(caller) && !caller.busy.load(Ordering::Relaxed))?;
    callers.remove(idle)?.leave.notify_one();
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
    fn the_oldest_idle_connection_makes_room_and_other_users_keep_theirs() {
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
        assert!(left(&mine[0]));
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
