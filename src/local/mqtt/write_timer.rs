//! How long a client has not read what there is for it.

use std::time::Duration;

use tokio::time::Instant;

/// A client is cut off if it reads nothing for this long while there is something to write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for which bytes have been waiting, since the first of them came or the client last read some.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WriteTimer {
    waiting_since: Option<Instant>,
}

impl WriteTimer {
    /// Records whether there is something to write now. The time of a client for which there was nothing begins now.
    pub(super) fn observe(&mut self, has_output: bool, now: Instant) {
        self.waiting_since = has_output.then(|| self.waiting_since.unwrap_or(now));
    }

    /// Records that the client has read something.
    pub(super) fn restart(&mut self, now: Instant) {
        self.waiting_since = self.waiting_since.map(|_| now);
    }

    /// Returns when the client is cut off, if it reads nothing until then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + WRITE_TIMEOUT)
    }

    /// Whether the client has read nothing for too long.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_in_which_there_is_something_to_read_counts() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut timer = WriteTimer::default();
        timer.observe(false, at(0));
        assert!(timer.deadline().is_none() && !timer.is_over(at(1000)));
        // After a long silence the client has as much time as any other.
        timer.observe(true, at(1000));
        assert_eq!(timer.deadline(), Some(at(1030)));
        timer.observe(true, at(1029));
        assert!(!timer.is_over(at(1029)) && timer.is_over(at(1030)));
        // Whatever it reads gives it more time.
        timer.restart(at(1029));
        assert!(!timer.is_over(at(1058)) && timer.is_over(at(1059)));
        timer.observe(false, at(1040));
        timer.restart(at(1040));
        assert!(timer.deadline().is_none());
        timer.observe(true, at(2000));
        assert_eq!(timer.deadline(), Some(at(2030)));
    }
}
