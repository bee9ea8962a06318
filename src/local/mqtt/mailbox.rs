//! Messages from other tasks to a connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::messages::SubmitError;

/// The mailbox of a connection.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// Notified when something was added.
    pub(super) signal: Rc<Notify>,
    /// Outcomes of QoS 1 messages, by packet identifier: stored, or the reason why not.
    stored: RefCell<Vec<(u16, Result<(), SubmitError>)>>,
    /// Set when the client has connected again; whether the new connection resumes the session.
    taken_over: Cell<Option<bool>>,
}

impl Mailbox {
    /// Reports the outcome of a message.
    pub(super) fn report_stored(&self, packet_id: u16, outcome: Result<(), SubmitError>) {
        self.stored.borrow_mut().push((packet_id, outcome));
        self.signal.notify_one();
    }

    /// Takes the outcomes that were reported.
    pub(super) fn take_stored(&self) -> Vec<(u16, Result<(), SubmitError>)> {
        self.stored.take()
    }

    /// Ends the connection because the same client has connected again.
    pub(super) fn take_over(&self, resumes: bool) {
        self.taken_over.set(Some(resumes));
        self.signal.notify_one();
    }

    /// Returns whether the session is resumed, if the same client has connected again.
    pub(super) fn taken_over(&self) -> Option<bool> {
        self.taken_over.get()
    }
}
