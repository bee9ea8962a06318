//! When to ask for the next credentials: pure arithmetic, no timers.

use std::time::Duration;

use super::answer::Failure;
use crate::backoff::{Backoff, jitter};
use crate::credentials::USABLE_MARGIN;

/// Between two requests whatever happens: neither a clock that steps every second nor credentials that hardly live may
/// become a request every second.
pub(super) const LEAST_GAP: Duration = Duration::from_secs(10);

/// Transient failures are tried again after 1 s to 5 min, with full jitter.
const TRANSIENT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// Refusals are configuration at AWS's end: tried again after 2 to 15 min, for ever, because somebody will mend it there.
const REFUSED: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(900));
/// How much sooner or later than planned, so that a fleet spreads.
const SPREAD: f64 = 0.1;

/// The waits of one keeper.
#[derive(Debug)]
pub(super) struct Schedule {
    transient: Backoff,
    refused: Duration,
    random: fastrand::Rng,
}

impl Schedule {
    pub(super) fn new(mut random: fastrand::Rng) -> Self {
        let transient = Backoff::new(TRANSIENT.0, TRANSIENT.1 - TRANSIENT.0, random.fork());
        Self {
            transient,
            refused: REFUSED.0,
            random,
        }
    }

    /// After a success: half of the credentials' life, a tenth sooner or later. A set that lives for minutes only is
    /// replaced sooner than that, because callers stop to get it a minute before its end.
    pub(super) fn after_success(&mut self, lifetime: Duration) -> Duration {
        self.transient.reset();
        self.refused = REFUSED.0;
        let handed_out = lifetime.saturating_sub(USABLE_MARGIN);
        let wait = (lifetime / 2).min(handed_out * 2 / 3);
        jitter(wait, SPREAD, &mut self.random).max(LEAST_GAP)
    }

    /// After a failure, by its class.
    pub(super) fn after_failure(&mut self, failure: &Failure) -> Duration {
        match failure {
            Failure::Transient(_) => TRANSIENT.0 + self.transient.next_wait(),
            Failure::Refused(_) => {
                let wait = jitter(self.refused, SPREAD, &mut self.random);
                self.refused = (self.refused * 2).min(REFUSED.1);
                wait
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn refresh_is_at_half_of_the_life_give_or_take_a_tenth() {
        let mut schedule = Schedule::new(fastrand::Rng::with_seed(5));
        let waits: Vec<u64> = (0..200)
            .map(|_| schedule.after_success(Duration::from_secs(3600)).as_secs())
            .collect();
        assert!(waits.iter().all(|wait| (1620..=1980).contains(wait)), "{waits:?}");
        assert!(
            waits.iter().any(|wait| *wait < 1700) && waits.iter().any(|wait| *wait > 1900),
            "{waits:?}"
        );
    }

    #[test]
    fn promise_3_a_refresh_comes_before_callers_stop_to_get_the_set() {
        let mut schedule = Schedule::new(fastrand::Rng::with_seed(7));
        for seconds in [75, 90, 120, 180, 300, 900, 3600, 43_200] {
            let lifetime = Duration::from_secs(seconds);
            let wait = schedule.after_success(lifetime);
            assert!(
                wait >= LEAST_GAP && wait < lifetime - USABLE_MARGIN,
                "{lifetime:?}: {wait:?}"
            );
        }
        assert_eq!(schedule.after_success(Duration::from_secs(61)), LEAST_GAP);
    }

    #[test]
    fn refusals_are_slow_and_transient_failures_quick_until_they_last() {
        let mut schedule = Schedule::new(fastrand::Rng::with_seed(6));
        let transient = Failure::Transient(Problem::wait("500"));
        let refused = Failure::Refused(Problem::configuration("403"));
        assert!(schedule.after_failure(&transient) <= Duration::from_secs(2));
        for _ in 0..20 {
            let wait = schedule.after_failure(&transient);
            assert!(wait >= TRANSIENT.0 && wait <= TRANSIENT.1, "{wait:?}");
            let wait = schedule.after_failure(&refused);
            assert!(
                wait >= REFUSED.0.mul_f64(0.9) && wait <= REFUSED.1.mul_f64(1.1),
                "{wait:?}"
            );
        }
        schedule.after_success(Duration::from_secs(3600));
        assert!(
            schedule.after_failure(&transient) <= Duration::from_secs(2),
            "a success starts anew"
        );
    }
}
