//! Counts occurrences of an event until an hour has passed without one.

use std::time::Duration;

use serde::Serialize;

use crate::clock::{Clock, rfc3339};

/// Time without an occurrence after which the earlier ones are forgotten.
pub const QUIET_PERIOD: Duration = Duration::from_secs(3600);

/// Occurrences of one kind, none of which is an hour or more after the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repeats {
    /// Number of occurrences.
    pub times: u64,
    /// Time of the first one, RFC 3339.
    pub since: String,
    /// Time of the last one, RFC 3339.
    pub last: String,
    /// Time of the last one by the boottime clock.
    #[serde(skip)]
    last_at_boot: Duration,
}

impl Repeats {
    /// Counts an occurrence now.
    pub fn add(&mut self, clock: &dyn Clock) {
        let now = rfc3339(clock.wall());
        if self.in_the_last_hour(clock.boot()) == 0 {
            self.times = 0;
            self.since.clone_from(&now);
        }
        self.times = self.times.saturating_add(1);
        self.last = now;
        self.last_at_boot = clock.boot();
    }

    /// Returns the number of occurrences, or 0 once an hour has passed without one. `now` is the time of the boottime clock.
    pub fn in_the_last_hour(&self, now: Duration) -> u64 {
        match self.quiet_in(now) {
            Some(_) => self.times,
            None => 0,
        }
    }

    /// Returns the time until an hour has passed without an occurrence; `None` once it has.
    pub fn quiet_in(&self, now: Duration) -> Option<Duration> {
        let quiet_at = self.last_at_boot + QUIET_PERIOD;
        (self.times > 0 && now < quiet_at).then(|| quiet_at.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    #[test]
    fn occurrences_are_counted_until_an_hour_has_passed_without_one() {
        let clock = ManualClock::at(1_800_000_000);
        let mut losses = Repeats::default();
        assert_eq!(
            (losses.in_the_last_hour(clock.boot()), losses.quiet_in(clock.boot())),
            (0, None)
        );
        // Seconds until the next occurrence, and how many are counted then.
        for (pause, times) in [(0, 1), (10, 2), (3599, 3), (3599, 4), (3600, 1), (1, 2), (100_000, 1)] {
            clock.pass(Duration::from_secs(pause));
            losses.add(&*clock);
            assert_eq!(losses.in_the_last_hour(clock.boot()), times, "after {pause} s");
            assert_eq!(losses.last, rfc3339(clock.wall()));
        }
        clock.pass(QUIET_PERIOD - Duration::from_secs(1));
        assert_eq!(losses.quiet_in(clock.boot()), Some(Duration::from_secs(1)));
        clock.pass(Duration::from_secs(1));
        assert_eq!(losses.in_the_last_hour(clock.boot()), 0);
    }
}
