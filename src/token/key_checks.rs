//! When the key of an open token is checked.
//!
//! Objects can be deleted and a token can be initialised anew while a session stands. Without a check, only the next signature
//! would tell, which may be weeks later. A check looks for the key's object: it needs no login and no signature.

use std::time::{Duration, Instant};

use super::error::TokenError;

/// Between two checks, or a signature and a check. Each wakes the thread once.
const INTERVAL: Duration = Duration::from_secs(60);
/// There is nothing to check for so long; the thread's wait needs some bound.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// The schedule of checks.
#[derive(Debug, Default)]
pub(super) struct KeyChecks {
    /// When the key was last known to be there.
    last: Option<Instant>,
    /// Whether a check of a token that has just been opened succeeds. A module may not find a key again that signs; its failures
    /// would close a good token once a minute.
    is_possible: bool,
}

impl KeyChecks {
    /// Takes a token into account that was just opened. `find` looks for its key.
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

    /// Notes that the key is there.
    pub(super) fn passed(&mut self) {
        self.last = Some(Instant::now());
    }

    /// How long it takes until the next check.
    pub(super) fn due_in(&self) -> Duration {
        match self.last.filter(|_| self.is_possible) {
            Some(last) => INTERVAL.saturating_sub(last.elapsed()),
            None => NEVER,
        }
    }

    /// Checks the key, where that is possible.
    ///
    /// # Errors
    /// When it is not found. The next check is due after the same time all the same.
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
        assert!(checks.run(lost).is_err(), "another opening counts anew");
    }
}
