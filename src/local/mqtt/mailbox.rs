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
    /// Creates an empty mailbox of the connection that waits for `signal`.
    pub(super) fn new(signal: Rc<Notify>) -> Self {
        Self {
            signal,
            ..Self::default()
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    /// Whether the connection is woken.
    async fn is_notified(mailbox: &Mailbox) -> bool {
        let notified = mailbox.signal.notified();
        tokio::select! {
            biased;
            () = notified => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn outcomes_are_taken_once_in_their_order_and_wake_the_connection() {
        let mailbox = Mailbox::default();
        assert!(!is_notified(&mailbox).await);
        mailbox.report_stored(2, Ok(()));
        mailbox.report_stored(1, Err(SubmitError::Full(Problem::wait("full"))));
        // One wake-up is enough for both, and none is left for later.
        assert!(is_notified(&mailbox).await && !is_notified(&mailbox).await);
        let taken = mailbox.take_stored();
        let taken: Vec<_> = taken.iter().map(|(id, outcome)| (*id, outcome.is_ok())).collect();
        assert_eq!(taken, [(2, true), (1, false)]);
        assert!(mailbox.take_stored().is_empty());
    }

    #[tokio::test]
    async fn a_connection_learns_that_it_was_taken_over_and_whether_its_session_goes_on() {
        for resumes in [true, false] {
            let mailbox = Mailbox::default();
            assert_eq!(mailbox.taken_over(), None);
            mailbox.take_over(resumes);
            assert!(is_notified(&mailbox).await);
            assert_eq!(mailbox.taken_over(), Some(resumes));
        }
    }
}
