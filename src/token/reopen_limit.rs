//! Limits how often a lost token is reopened.

use std::time::{Duration, Instant};

/// The shortest time between two attempts to reopen a lost token, so that a device that fails at every signature is spared.
pub(super) const REOPEN_INTERVAL: Duration = Duration::from_secs(30);

/// Remembers when the token was last reopened.
#[derive(Debug, Default)]
pub(super) struct ReopenLimit {
    last: Option<Instant>,
}

impl ReopenLimit {
    /// Allows the token to be reopened now.
    ///
    /// # Errors
    /// With the time of the next attempt, if the last one was less than [`REOPEN_INTERVAL`] ago.
    pub(super) fn try_reopen(&mut self) -> Result<(), Instant> {
        let now = Instant::now();
        match self.last.map(|last| last + REOPEN_INTERVAL).filter(|next| now < *next) {
            Some(next) => Err(next),
            None => {
                self.last = Some(now);
                Ok(())
            }
        }
    }

    /// Returns the time from which the token may be reopened.
    pub(super) fn next(&self) -> Instant {
        self.last.map_or_else(Instant::now, |last| last + REOPEN_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_attempt_waits_for_the_interval() {
        let mut limit = ReopenLimit::default();
        assert!(limit.next() <= Instant::now());
        assert_eq!(limit.try_reopen(), Ok(()));
        assert_eq!(limit.try_reopen(), Err(limit.next()));
        limit.last = limit.last.and_then(|last| last.checked_sub(REOPEN_INTERVAL));
        assert_eq!(limit.try_reopen(), Ok(()));
    }
}
