//! The connections that there are, and which one makes room when another wants in: `admission` decides, this carries it out.
//!
//! Nobody can lock others out by opening connections: beyond a limit the one that was quiet longest makes room, one that is
//! in the middle of a request (a publish that waits for the disk, a subscription) never does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Notify, watch};

use super::admission::{self, Admission, Occupant, Origin};

/// One connection's entry.
#[derive(Debug)]
pub struct Connection {
    origin: RefCell<Origin>,
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

    /// Whether a request is being answered on it.
    pub fn is_busy(&self) -> bool {
        self.busy.get()
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
    /// Gives a connection from `origin` a place; if a limit is reached, the one that was quiet longest is asked to leave.
    /// `None` where all of them are in the middle of a request: then there is no room.
    pub fn enter(&self, origin: Origin) -> Option<Entered> {
        let mut connections = self.all.borrow_mut();
        make_room(&mut connections, &origin).then_some(())?;
        let connection = Rc::new(Connection {
            origin: RefCell::new(origin),
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

    /// Asks every connection to make room once it is quiet: its caller connects again, and is then identified by today's rules.
    pub fn renew(&self) {
        for connection in self.all.borrow().iter() {
            connection.leave.notify_one();
        }
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

/// Whether there is room for one more from `origin`, after the one that makes room was asked to leave.
fn make_room(connections: &mut Vec<Rc<Connection>>, origin: &Origin) -> bool {
    let origins: Vec<_> = connections
        .iter()
        .map(|connection| connection.origin.borrow())
        .collect();
    let occupants = connections.iter().zip(&origins).map(|(connection, origin)| Occupant {
        origin,
        heard: connection.heard.get(),
        busy: connection.busy.get(),
    });
    let admission = admission::admit(occupants, origin);
    drop(origins);
    match admission {
        Admission::Enter => true,
        Admission::Replace(index) => {
            connections.swap_remove(index).leave.notify_one();
            true
        }
        Admission::Refuse => false,
    }
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

    /// It is known better now whose connection this is: it moves to that one's places.
    ///
    /// # Errors
    /// When there is no room there. The connection must end.
    pub fn belongs_to(&self, origin: Origin) -> Result<(), NoRoom> {
        if *self.connection.origin.borrow() == origin {
            return Ok(());
        }
        let mut all = self.connections.all.borrow_mut();
        let Some(own) = all.iter().position(|one| Rc::ptr_eq(one, &self.connection)) else {
            // It was asked to leave, and this is its last request.
            return Ok(());
        };
        let connection = all.swap_remove(own);
        let room = make_room(&mut all, &origin);
        connection.origin.replace(origin);
        all.push(connection);
        room.then_some(()).ok_or(NoRoom)
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

/// That whoever a connection belongs to has as many as it may, all of them in the middle of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

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
    use crate::local::admission::PER_ORIGIN;

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
        let other = connections.enter(Origin::Unproven).unwrap();
        let mut mine: Vec<Entered> = (0..PER_ORIGIN)
            .map(|_| connections.enter(Origin::User(1)).unwrap())
            .collect();
        mine[0].heard();
        mine.push(connections.enter(Origin::User(1)).unwrap());
        assert!(is_in(&connections, &mine[0]) && !is_in(&connections, &mine[1]) && is_in(&connections, &other));
        drop(mine);
        drop(other);
        assert!(connections.all.borrow().is_empty(), "places come back");
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

    #[test]
    fn a_connection_moves_to_the_places_of_whom_it_turns_out_to_be() {
        let connections = Connections::default();
        let holder = || Origin::Bearer("camera".into());
        let known: Vec<Entered> = (0..PER_ORIGIN)
            .map(|_| {
                let entered = connections.enter(Origin::Unproven).unwrap();
                assert_eq!(entered.belongs_to(holder()), Ok(()));
                entered
            })
            .collect();
        // However many come without a token, those that have shown one stay.
        let strangers: Vec<Entered> = (0..1000)
            .map(|_| connections.enter(Origin::Unproven).unwrap())
            .collect();
        assert!(known.iter().all(|entered| is_in(&connections, entered)));
        let _busy: Vec<Busy> = known.iter().map(Entered::busy).collect();
        let last = strangers.last().unwrap();
        assert_eq!(last.belongs_to(holder()), Err(NoRoom));
        assert_eq!(last.belongs_to(Origin::Bearer("other".into())), Ok(()));
        assert_eq!(
            last.belongs_to(Origin::Bearer("other".into())),
            Ok(()),
            "once is enough"
        );
        assert_eq!(
            strangers[0].belongs_to(holder()),
            Ok(()),
            "it was sent away, and ends by itself"
        );
    }

    #[tokio::test]
    async fn connections_that_are_renewed_leave_once() {
        let connections = Connections::default();
        let (quiet, busy) = (
            connections.enter(Origin::User(1)).unwrap(),
            connections.enter(Origin::User(2)).unwrap(),
        );
        let _working = busy.busy();
        connections.renew();
        let later = connections.enter(Origin::User(3)).unwrap();
        for asked in [&quiet, &busy] {
            asked.connection.asked_to_leave().await;
        }
        let waiting = later.connection.asked_to_leave();
        let outcome = tokio::time::timeout(std::time::Duration::ZERO, waiting).await;
        assert!(outcome.is_err(), "whoever comes later stays");
    }
}
