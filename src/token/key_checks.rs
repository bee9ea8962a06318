//! Schedules the checks of the key in an open token.
//!
//! The key can be deleted and the token initialised again during a session. Without a check, only the next signature would
//! reveal that, perhaps weeks later. A check looks for the key's object, which needs no login and no signature.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::error::TokenError;
use super::request::Request;

/// The time between two checks, or between a signature and a check. Each check wakes the thread.
const INTERVAL: Duration = Duration::from_secs(60);
/// The wait when no check is possible. The wait of the thread needs some limit.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// The schedule of checks.
#[derive(Debug, Default)]
pub(super) struct KeyChecks {
    /// When the key was last known to exist.
    last: Option<Instant>,
    /// Whether a check right after opening succeeds. Some modules do not find a key that signs, and checks would close a good
    /// token every minute.
    is_possible: bool,
}

impl KeyChecks {
    /// Records that the token was opened. `find` looks for its key.
    pub(super) fn opened(&mut self, find: impl FnOnce() -> Result<(), TokenError>) {
        self.is_possible = match find() {
            Ok(()) => true,
            Err(error) => {
                log::debug!("token: the key of the open token is not checked: {}", error.problem());
                false
            }
        };
        self.passed();
    }

    /// Records that the key exists.
    pub(super) fn passed(&mut self) {
        self.last = Some(Instant::now());
    }

    /// Returns the time until the next check.
    pub(super) fn due_in(&self) -> Duration {
        match self.last.filter(|_| self.is_possible) {
            Some(last) => INTERVAL.saturating_sub(last.elapsed()),
            None => NEVER,
        }
    }

    /// Waits for the next request; `None` when a check is due.
    ///
    /// # Errors
    /// If the last sender is dropped.
    pub(super) fn receive_until_due(&self, requests: &Receiver<Request>) -> Result<Option<Request>, RecvTimeoutError> {
        match requests.recv_timeout(self.due_in()) {
            Ok(request) => Ok(Some(request)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// Checks the key, if that is possible.
    ///
    /// # Errors
    /// If the key is not found. The next check is due after the usual interval nonetheless.
    pub(super) fn run(&mut self, find: impl FnOnce() -> Result<(), TokenError>) -> Result<(), TokenError> {
        self.passed();
        match self.is_possible {
            true => find(),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn lost() -> Result<(), TokenError> {
        Err(TokenError::Device(Problem::wait("gone")))
    }

    #[test]
    fn a_check_is_due_a_minute_after_the_key_was_last_seen() {
        let mut checks = KeyChecks::default();
        assert_eq!(checks.due_in(), NEVER, "nothing is open");
        checks.opened(|| Ok(()));
        let due = checks.due_in();
        assert!(due <= INTERVAL && due > Duration::ZERO, "{due:?}");
        checks.last = Instant::now().checked_sub(2 * INTERVAL);
        assert_eq!(checks.due_in(), Duration::ZERO);
        assert!(checks.run(lost).is_err());
        assert!(
            checks.due_in() > Duration::ZERO,
            "a failed check is not repeated at once"
        );
        checks.last = Instant::now().checked_sub(2 * INTERVAL);
        checks.passed();
        assert!(checks.due_in() > Duration::ZERO, "a signature proves the same");
    }

    #[test]
    fn a_module_that_does_not_find_its_key_again_is_left_alone() {
        let mut checks = KeyChecks::default();
        checks.opened(lost);
        assert_eq!(checks.due_in(), NEVER);
        assert!(checks.run(lost).is_ok());
        checks.opened(|| Ok(()));
        assert!(checks.run(lost).is_err(), "each opening decides again");
    }
}
