//! How many connections there may be, and which one goes when another wants in.
//!
//! Nobody can lock others out by opening connections: beyond a limit the one that was quiet longest makes room. A request
//! is answered at once and from memory, so a connection is never in the middle of one when it is asked to leave, and the
//! limit on a user's connections is the limit on its requests at the same time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

/// Connections of one user.
const PER_UID: usize = 64;
/// Connections in all; well below the 1024 descriptors that a service may have by default.
const TOTAL: usize = 512;

/// One connection's entry.
#[derive(Debug)]
pub struct Caller {
    uid: u32,
    /// When it was last heard of: a count, not a time.
    heard: Cell<u64>,
    leave: Notify,
}

impl Caller {
    /// Waits until this connection must make room for another.
    pub async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    all: Rc<RefCell<Vec<Rc<Caller>>>>,
    count: Rc<Cell<u64>>,
}

impl Callers {
    /// Enters a connection of `uid`; if a limit is reached, the one that was quiet longest is asked to leave.
    pub fn enter(&self, uid: u32) -> Entered {
        let mut callers = self.all.borrow_mut();
        let of_uid = callers.iter().filter(|caller| caller.uid == uid).count();
        if of_uid >= PER_UID {
            send_away(&mut callers, |caller| caller.uid == uid);
        } else if callers.len() >= TOTAL {
            send_away(&mut callers, |_| true);
        }
        let caller = Rc::new(Caller {
            uid,
            heard: Cell::new(self.tick()),
            leave: Notify::new(),
        });
        callers.push(caller.clone());
        Entered {
            callers: self.clone(),
            caller,
        }
    }

    fn tick(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }
}

fn send_away(callers: &mut Vec<Rc<Caller>>, among: impl Fn(&Caller) -> bool) {
    let among = callers.iter().enumerate().filter(|(_, caller)| among(caller));
    if let Some((quietest, _)) = among.min_by_key(|(_, caller)| caller.heard.get()) {
        callers.swap_remove(quietest).leave.notify_one();
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub struct Entered {
    callers: Callers,
    /// The entry.
    pub caller: Rc<Caller>,
}

impl Entered {
    /// A request has come on this connection.
    pub fn heard(&self) {
        self.caller.heard.set(self.callers.tick());
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.callers
            .all
            .borrow_mut()
            .retain(|caller| !Rc::ptr_eq(caller, &self.caller));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(callers: &Callers, entered: &Entered) -> bool {
        callers
            .all
            .borrow()
            .iter()
            .any(|caller| Rc::ptr_eq(caller, &entered.caller))
    }

    #[test]
    fn the_quietest_connection_makes_room_and_other_users_keep_theirs() {
        let callers = Callers::default();
        let other = callers.enter(2);
        let mut mine: Vec<Entered> = (0..PER_UID).map(|_| callers.enter(1)).collect();
        mine[0].heard();
        mine.push(callers.enter(1));
        assert!(is_in(&callers, &mine[0]) && !is_in(&callers, &mine[1]) && is_in(&callers, &other));
    }

    #[test]
    fn the_whole_socket_has_a_limit_and_places_come_back() {
        let callers = Callers::default();
        let uids = 0..u32::try_from(TOTAL).unwrap();
        let mut everybody: Vec<Entered> = uids.map(|uid| callers.enter(uid)).collect();
        everybody.push(callers.enter(u32::MAX));
        assert_eq!(callers.all.borrow().len(), TOTAL);
        assert!(!is_in(&callers, &everybody[0]));
        drop(everybody);
        assert!(callers.all.borrow().is_empty());
    }
}
