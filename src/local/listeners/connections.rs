//! Keeps the open connections, and evicts one when a new connection needs its slot (decided by `limits::admission`).
//!
//! Nobody can lock others out by opening connections: beyond a limit the connection that was idle longest is evicted. A
//! connection with an open request (a publish that waits for the disk, a subscription) is never evicted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Notify, watch};

use crate::local::limits::{Admission, Occupant, Origin, admit};

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    origin: RefCell<Origin>,
    /// Sequence number of its last request.
    last_request: Cell<u64>,
    is_busy: Cell<bool>,
    has_requested: Cell<bool>,
    eviction: Notify,
}

impl Connection {
    /// Returns whether a request has come on it.
    pub fn has_requested(&self) -> bool {
        self.has_requested.get()
    }

    /// Returns whether a request is being answered on it.
    pub fn is_busy(&self) -> bool {
        self.is_busy.get()
    }

    /// Waits until this connection is evicted.
    pub async fn evicted(&self) {
        self.eviction.notified().await;
    }
}

/// The open connections of all listeners.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    all: Rc<RefCell<Vec<Rc<Connection>>>>,
    request_count: Rc<Cell<u64>>,
    /// Becomes true at the end of the daemon.
    shutdown: watch::Sender<bool>,
    closed: Rc<Notify>,
}

impl Connections {
    /// Takes a slot for a connection from `origin`. At a limit the connection that was idle longest is evicted; `None` if all of
    /// them are busy.
    pub fn enter(&self, origin: Origin) -> Option<ConnectionSlot> {
        let mut connections = self.all.borrow_mut();
        evict_idlest(&mut connections, &origin).then_some(())?;
        let connection = Rc::new(Connection {
            origin: RefCell::new(origin),
            last_request: Cell::new(self.next_number()),
            is_busy: Cell::new(false),
            has_requested: Cell::new(false),
            eviction: Notify::new(),
        });
        connections.push(connection.clone());
        Some(ConnectionSlot {
            connections: self.clone(),
            connection,
        })
    }

    /// Closes every connection once it is idle. Its caller connects again, and is then identified by the present rules.
    pub fn renew(&self) {
        for connection in self.all.borrow().iter() {
            connection.eviction.notify_one();
        }
    }

    /// Lets every connection finish its open request, and waits until all of them are closed.
    pub async fn finish(&self) {
        self.shutdown.send_replace(true);
        while !self.all.borrow().is_empty() {
            self.closed.notified().await;
        }
    }

    fn next_number(&self) -> u64 {
        self.request_count.set(self.request_count.get() + 1);
        self.request_count.get()
    }
}

/// Makes room for one more connection from `origin`, if need be by an eviction. Returns whether there is room.
fn evict_idlest(connections: &mut Vec<Rc<Connection>>, origin: &Origin) -> bool {
    let origins: Vec<_> = connections
        .iter()
        .map(|connection| connection.origin.borrow())
        .collect();
    let occupants = connections.iter().zip(&origins).map(|(connection, origin)| Occupant {
        origin,
        last_request: connection.last_request.get(),
        is_busy: connection.is_busy.get(),
    });
    let admission = admit(occupants, origin);
    drop(origins);
    match admission {
        Admission::Enter => true,
        Admission::Replace(index) => {
            connections.swap_remove(index).eviction.notify_one();
            true
        }
        Admission::Refuse => false,
    }
}

/// A connection's slot; released when dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    connections: Connections,
    /// The connection.
    pub connection: Rc<Connection>,
}

impl ConnectionSlot {
    /// Records that a request has come on this connection.
    pub fn record_request(&self) {
        self.connection.last_request.set(self.connections.next_number());
        self.connection.has_requested.set(true);
    }

    /// Moves the connection to the slots of `origin`, which is known better now.
    ///
    /// # Errors
    /// If `origin` has no slot left. The connection must end.
    pub fn move_to(&self, origin: Origin) -> Result<(), NoSlotError> {
        if *self.connection.origin.borrow() == origin {
            return Ok(());
        }
        let mut all = self.connections.all.borrow_mut();
        let Some(own) = all.iter().position(|one| Rc::ptr_eq(one, &self.connection)) else {
            // The connection was evicted, and this is its last request.
            return Ok(());
        };
        let connection = all.swap_remove(own);
        let has_room = evict_idlest(&mut all, &origin);
        connection.origin.replace(origin);
        all.push(connection);
        has_room.then_some(()).ok_or(NoSlotError)
    }

    /// Waits until the daemon ends.
    pub async fn shutting_down(&self) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self
            .connections
            .shutdown
            .subscribe()
            .wait_for(|shutdown| *shutdown)
            .await;
    }

    /// Marks the connection as busy until the guard is dropped.
    pub fn mark_busy(&self) -> BusyGuard<'_> {
        self.connection.is_busy.set(true);
        BusyGuard(&self.connection)
    }
}

/// The origin of a connection has as many as it may, and all of them are busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSlotError;

/// Marks a connection as busy until it is dropped.
#[derive(Debug)]
pub struct BusyGuard<'a>(&'a Connection);

impl BusyGuard<'_> {
    /// Keeps the connection busy until it ends.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for BusyGuard<'_> {
    fn drop(&mut self) {
        self.0.is_busy.set(false);
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections
            .all
            .borrow_mut()
            .retain(|connection| !Rc::ptr_eq(connection, &self.connection));
        self.connections.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::limits::PER_ORIGIN;

    fn is_in(connections: &Connections, slot: &ConnectionSlot) -> bool {
        connections
            .all
            .borrow()
            .iter()
            .any(|connection| Rc::ptr_eq(connection, &slot.connection))
    }

    #[test]
    fn the_connection_that_was_idle_longest_is_evicted_and_other_users_keep_theirs() {
        let connections = Connections::default();
        let other = connections.enter(Origin::Unproven).unwrap();
        let mut mine: Vec<ConnectionSlot> = (0..PER_ORIGIN)
            .map(|_| connections.enter(Origin::User(1)).unwrap())
            .collect();
        mine[0].record_request();
        mine.push(connections.enter(Origin::User(1)).unwrap());
        assert!(is_in(&connections, &mine[0]) && !is_in(&connections, &mine[1]) && is_in(&connections, &other));
        drop(mine);
        drop(other);
        assert!(connections.all.borrow().is_empty(), "slots are released");
    }

    #[test]
    fn busy_connections_are_not_evicted() {
        let connections = Connections::default();
        let mine: Vec<ConnectionSlot> = (0..PER_ORIGIN)
            .map(|_| connections.enter(Origin::User(1)).unwrap())
            .collect();
        let mut busy: Vec<BusyGuard> = mine.iter().map(ConnectionSlot::mark_busy).collect();
        assert!(connections.enter(Origin::User(1)).is_none());
        assert!(connections.enter(Origin::User(2)).is_some());
        busy.pop();
        assert!(connections.enter(Origin::User(1)).is_some());
        assert!(!is_in(&connections, &mine[PER_ORIGIN - 1]));
    }

    #[test]
    fn a_connection_moves_to_the_slots_of_its_origin() {
        let connections = Connections::default();
        let camera = || Origin::Bearer("camera".into());
        let known: Vec<ConnectionSlot> = (0..PER_ORIGIN)
            .map(|_| {
                let slot = connections.enter(Origin::Unproven).unwrap();
                assert_eq!(slot.move_to(camera()), Ok(()));
                slot
            })
            .collect();
        // However many come without a token, those that have shown one stay.
        let strangers: Vec<ConnectionSlot> = (0..1000)
            .map(|_| connections.enter(Origin::Unproven).unwrap())
            .collect();
        assert!(known.iter().all(|slot| is_in(&connections, slot)));
        let _busy: Vec<BusyGuard> = known.iter().map(ConnectionSlot::mark_busy).collect();
        let last = strangers.last().unwrap();
        assert_eq!(last.move_to(camera()), Err(NoSlotError));
        assert_eq!(last.move_to(Origin::Bearer("other".into())), Ok(()));
        assert_eq!(last.move_to(Origin::Bearer("other".into())), Ok(()), "once is enough");
        assert_eq!(
            strangers[0].move_to(camera()),
            Ok(()),
            "it was evicted, and ends by itself"
        );
    }

    #[tokio::test]
    async fn renewed_connections_are_evicted_once() {
        let connections = Connections::default();
        let (quiet, busy) = (
            connections.enter(Origin::User(1)).unwrap(),
            connections.enter(Origin::User(2)).unwrap(),
        );
        let _working = busy.mark_busy();
        connections.renew();
        let later = connections.enter(Origin::User(3)).unwrap();
        for asked in [&quiet, &busy] {
            asked.connection.evicted().await;
        }
        let waiting = later.connection.evicted();
        let outcome = tokio::time::timeout(std::time::Duration::ZERO, waiting).await;
        assert!(outcome.is_err(), "a later connection stays");
    }
}
