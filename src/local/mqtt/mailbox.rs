//! Messages of other tasks to a connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::messages::SubmitError;

/// News for a connection.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// Notified when there are any.
    pub(super) signal: Rc<Notify>,
    /// Messages at QoS 1 that are stored, or why not, by their packet identifiers.
    stored: RefCell<Vec<(u16, Result<(), SubmitError>)>>,
    /// Whether the client has connected again, and goes on with the session.
    taken_over: Cell<Option<bool>>,
}

impl Mailbox {
    /// Reports the outcome of a message.
    pub(super) fn report_stored(&self, packet_id: u16, outcome: Result<(), SubmitError>) {
        self.stored.borrow_mut().push((packet_id, outcome));
        self.signal.notify_one();
    }

    /// Takes the reported outcomes.
    pub(super) fn take_stored(&self) -> Vec<(u16, Result<(), SubmitError>)> {
        self.stored.take()
    }

    /// Ends the connection because the same client has connected again.
    pub(super) fn take_over(&self, resumes: bool) {
        self.taken_over.set(Some(resumes));
        self.signal.notify_one();
    }

    /// Whether the same client has connected again, and goes on with the session.
    pub(super) fn taken_over(&self) -> Option<bool> {
        self.taken_over.get()
    }
}
