//! Messages that a program wants accepted in the order in which it has sent them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::problem::Problem;

/// The messages of one connection, over a protocol that cannot refuse a single message: after one that is not accepted, none is. The
/// program sends all of them again on its next connection; if the outbox had accepted a later one already, the order would be lost.
#[derive(Clone, Debug, Default)]
pub struct Sequence(Arc<AtomicBool>);

impl Sequence {
    /// Records that a message was not accepted.
    pub(in crate::messages) fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Checks that all earlier messages were accepted.
    ///
    /// # Errors
    /// If one was not.
    pub(in crate::messages) fn check(&self) -> Result<(), Problem> {
        match self.0.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Problem::wait(
                "an earlier message of the same connection was not accepted",
            )),
        }
    }
}

/// A message's place in a sequence. Unless the message is accepted, the sequence is interrupted when this is dropped.
#[derive(Debug, Default)]
pub(in crate::messages) struct Place(Option<Sequence>);

impl Place {
    pub(in crate::messages) fn new(sequence: Option<Sequence>) -> Self {
        Self(sequence)
    }

    /// Checks that all earlier messages of the sequence were accepted.
    ///
    /// # Errors
    /// If one was not.
    pub(in crate::messages) fn check(&self) -> Result<(), Problem> {
        self.0.as_ref().map_or(Ok(()), Sequence::check)
    }

    /// Records that the message is on the disk.
    pub(in crate::messages) fn accept(mut self) {
        self.0 = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(sequence) = &self.0 {
            sequence.interrupt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_goes_on_until_a_message_is_dropped() {
        let sequence = Sequence::default();
        let place = || Place::new(Some(sequence.clone()));
        let (first, second) = (place(), place());
        first.accept();
        assert!(second.check().is_ok(), "the one before was accepted");
        drop(second);
        assert!(place().check().is_err(), "the one before was not accepted");
        assert!(Place::default().check().is_ok(), "it is in no sequence");
    }
}
