//! Keeps the open connections, and evicts one when a new connection needs its slot (decided by `limits::admission`).
//!
//! Nobody can lock others out by opening connections: beyond a limit the connection that was idle longest is evicted. A
//! connection with an open request (a publish that waits for the disk, a subscription) is never evicted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::local::limits::{Admission, HTTP_SLOTS, OccupiedSlot, Origin, Slots, admit};

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// Another connection needs its slot, or its caller must be identified again.
    Evicted,
    /// The daemon ends.
    ShuttingDown,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    origin: RefCell<Origin>,
    /// Sequence number of its last request.
    last_request: Cell<u64>,
    is_busy: Cell<bool>,
    has_requested: Cell<bool>,
    end: Cell<Option<ConnectionEnd>>,
    /// Notified when the connection must end. Its protocol may use it too, so that an idle connection waits for one thing only.
    signal: Rc<Notify>,
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

    /// Returns why this connection must end, if it must.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.end.get()
    }

    /// Waits until this connection must end. Cancel safe.
    pub async fn ending(&self) -> ConnectionEnd {
        loop {
            if let Some(end) = self.end() {
                return end;
            }
            self.signal.notified().await;
        }
    }

    /// Returns what is notified when this connection must end.
    pub fn signal(&self) -> &Rc<Notify> {
        &self.signal
    }

    fn set_end(&self, end: ConnectionEnd) {
        self.end.set(Some(end));
        self.signal.notify_one();
    }
}

/// The open connections of all listeners of one protocol.
#[derive(Clone, Debug)]
pub struct Connections {
    slots: &'static Slots,
    all: Rc<RefCell<Vec<Rc<Connection>>>>,
    request_count: Rc<Cell<u64>>,
    /// Whether the daemon ends.
    is_finishing: Rc<Cell<bool>>,
    closed: Rc<Notify>,
}

impl Default for Connections {
    /// Connections of HTTP.
    fn default() -> Self {
        Self::new(&HTTP_SLOTS)
    }
}

impl Connections {
    /// Creates a set of connections without any.
    pub fn new(slots: &'static Slots) -> Self {
        Self {
            slots,
            all: Rc::default(),
            request_count: Rc::default(),
            is_finishing: Rc::default(),
            closed: Rc::default(),
        }
    }

    /// Takes a slot for a connection from `origin`. At a limit the connection that was idle longest is evicted; `None` if all of
    /// them are busy.
    pub fn enter(&self, origin: Origin) -> Option<ConnectionSlot> {
        let mut connections = self.all.borrow_mut();
        evict_idlest(self.slots, &mut connections, &origin).then_some(())?;
        let connection = Rc::new(Connection {
            origin: RefCell::new(origin),
            last_request: Cell::new(self.next_number()),
            is_busy: Cell::new(false),
            has_requested: Cell::new(false),
            end: Cell::new(self.is_finishing.get().then_some(ConnectionEnd::ShuttingDown)),
            signal: Rc::default(),
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
            connection.set_end(ConnectionEnd::Evicted);
        }
    }

    /// Lets every connection finish its open request, and waits until all of them are closed.
    pub async fn finish(&self) {
        self.is_finishing.set(true);
        for connection in self.all.borrow().iter() {
            connection.set_end(ConnectionEnd::ShuttingDown);
        }
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
fn evict_idlest(slots: &Slots, connections: &mut Vec<Rc<Connection>>, origin: &Origin) -> bool {
    let origins: Vec<_> = connections
        .iter()
        .map(|connection| connection.origin.borrow())
        .collect();
    let occupied = connections
        .iter()
        .zip(&origins)
        .map(|(connection, origin)| OccupiedSlot {
            origin,
            last_request: connection.last_request.get(),
            is_busy: connection.is_busy.get(),
        });
    let admission = admit(slots, occupied, origin);
    drop(origins);
    match admission {
        Admission::Enter => true,
        Admission::Replace(index) => {
            connections.swap_remove(index).set_end(ConnectionEnd::Evicted);
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
        let has_room = evict_idlest(self.connections.slots, &mut all, &origin);
        connection.origin.replace(origin);
        all.push(connection);
        has_room.then_some(()).ok_or(NoSlotError)
    }

    /// Marks the connection as busy until the guard is dropped.
    pub fn mark_busy(&self) -> BusyGuard<'_> {
        self.connection.is_busy.set(true);
        BusyGuard(&self.connection)
    }
}

/// The origin of a connection has used up its slots, and all of its connections are busy.
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
mod tests;
