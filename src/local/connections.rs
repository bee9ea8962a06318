//! How many connections there may be, and which one goes when another wants in.
//!
//! Nobody can lock others out by opening connections: beyond a limit the one that was quiet longest makes room, one that is
//! in the middle of a request (a publish that waits for the disk, a subscription) never does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Notify, watch};

/// Connections from one origin.
const PER_ORIGIN: usize = 64;
/// Connections on the loopback listener, whose callers are not known before they have asked.
const LOOPBACK: usize = 256;
/// Connections in all; well below the 1024 descriptors that a service may have by default.
const TOTAL: usize = 512;

/// What is known of a caller before it has said a word: what its share of the connections goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A user, on the Unix socket.
    User(u32),
    /// Anybody, on the loopback listener.
    Loopback,
}

/// One connection's entry.
#[derive(Debug)]
pub struct Connection {
    origin: Origin,
    /// When it was last heard of: a count, not a time.
    heard: Cell<u64>,
    busy: Cell<bool>,
    /// Whether a request has come on it.
    has_asked: Cell<bool>,
    leave: Notify,
}

impl Connection {
    /// Whether a request has come on it.
    pub fn has_asked(&self) -> bool {
        self.has_asked.get()
    }

    /// Waits until this connection must make room for another.
    pub async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    all: Rc<RefCell<Vec<Rc<Connection>>>>,
    count: Rc<Cell<u64>>,
    /// Becomes true at the end of the daemon.
    ending: watch::Sender<bool>,
    left: Rc<Notify>,
}

impl Connections {
    /// Enters a connection from `origin`; if a limit is reached, the one that was quiet longest is asked to leave. `None` where
    /// all of them are in the middle of a request: then there is no room.
    pub fn enter(&self, origin: Origin) -> Option<Entered> {
        let mut connections = self.all.borrow_mut();
        let of_origin = |connection: &Connection| connection.origin == origin;
        let most = match origin {
            Origin::User(_) => PER_ORIGIN,
            Origin::Loopback => LOOPBACK,
        };
        let room = if connections.iter().filter(|connection| of_origin(connection)).count() >= most {
            send_away(&mut connections, of_origin)
        } else {
            connections.len() < TOTAL || send_away(&mut connections, |_| true)
        };
        if !room {
            return None;
        }
        let connection = Rc::new(Connection {
            origin,
            heard: Cell::new(self.tick()),
            busy: Cell::new(false),
            has_asked: Cell::new(false),
            leave: Notify::new(),
        });
        connections.push(connection.clone());
        Some(Entered {
            connections: self.clone(),
            connection,
        })
    }

    /// Lets every connection finish what it is at, and waits until all of them have.
    pub async fn finish(&self) {
        self.ending.send_replace(true);
        while !self.all.borrow().is_empty() {
            self.left.notified().await;
        }
    }

    fn tick(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }
}

/// Sends the quietest connection away, if there is one that is not in the middle of a request.
fn send_away(connections: &mut Vec<Rc<Connection>>, among: impl Fn(&Connection) -> bool) -> bool {
    let among = connections
        .iter()
        .enumerate()
        .filter(|(_, connection)| among(connection) && !connection.busy.get());
    let quietest = among.min_by_key(|(_, connection)| connection.heard.get());
    let quietest = quietest.map(|(index, _)| index);
    if let Some(quietest) = quietest {
        connections.swap_remove(quietest).leave.notify_one();
    }
    quietest.is_some()
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub struct Entered {
    connections: Connections,
    /// The entry.
    pub connection: Rc<Connection>,
}

impl Entered {
    /// A request has come on this connection.
    pub fn heard(&self) {
        self.connection.heard.set(self.connections.tick());
        self.connection.has_asked.set(true);
    }

    /// Waits until the daemon ends.
    pub async fn asked_to_finish(&self) {
        // The sender is in `self`, so that this cannot fail.
        let _ = self.connections.ending.subscribe().wait_for(|ending| *ending).await;
    }

    /// A request is being answered, until this is dropped.
    pub fn busy(&self) -> Busy<'_> {
        self.connection.busy.set(true);
        Busy(&self.connection)
    }
}

/// That a request is being answered.
#[derive(Debug)]
pub struct Busy<'a>(&'a Connection);

impl Busy<'_> {
    /// The answer goes on as long as the connection does.
    pub fn for_good(self) {
        std::mem::forget(self);
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.set(false);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.connections
            .all
            .borrow_mut()
            .retain(|connection| !Rc::ptr_eq(connection, &self.connection));
        self.connections.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(connections: &Connections, entered: &Entered) -> bool {
        connections
            .all
            .borrow()
            .iter()
            .any(|connection| Rc::ptr_eq(connection, &entered.connection))
    }

    #[test]
    fn the_quietest_connection_makes_room_and_other_users_keep_theirs() {
        let connections = Connections::default();
        let other = connections.enter(Origin::Loopback).unwrap();
        let mut mine: Vec<Entered> = (0..PER_ORIGIN)
            .map(|_| connections.enter(Origin::User(1)).unwrap())
            .collect();
        mine[0].heard();
        mine.push(connections.enter(Origin::User(1)).unwrap());
        assert!(is_in(&connections, &mine[0]) && !is_in(&connections, &mine[1]) && is_in(&connections, &other));
    }

    #[test]
    fn the_whole_socket_has_a_limit_and_places_come_back() {
        let connections = Connections::default();
        let uids = 0..u32::try_from(TOTAL).unwrap();
        let mut everybody: Vec<Entered> = uids.map(|uid| connections.enter(Origin::User(uid)).unwrap()).collect();
        everybody.push(connections.enter(Origin::User(u32::MAX)).unwrap());
        assert_eq!(connections.all.borrow().len(), TOTAL);
        assert!(!is_in(&connections, &everybody[0]));
        drop(everybody);
        assert!(connections.all.borrow().is_empty());
    }

    #[test]
    fn nobody_makes_room_in_the_middle_of_a_request() {
        let connections = Connections::default();
        let mine: Vec<Entered> = (0..PER_ORIGIN)
            .map(|_| connections.enter(Origin::User(1)).unwrap())
            .collect();
        let mut busy: Vec<Busy> = mine.iter().map(Entered::busy).collect();
        assert!(connections.enter(Origin::User(1)).is_none());
        assert!(connections.enter(Origin::User(2)).is_some());
        busy.pop();
        assert!(connections.enter(Origin::User(1)).is_some());
        assert!(!is_in(&connections, &mine[PER_ORIGIN - 1]));
    }
}
