//! The schedule of requests for credentials: pure arithmetic, without timers.

use std::time::Duration;

use super::answer::Failure;
use crate::backoff::{Backoff, LONGEST_WAIT, jitter};
use crate::credentials::USABLE_MARGIN;

/// Minimum time between two requests that reach AWS: neither a clock that steps every second nor short-lived credentials may cause
/// a request every second. It is shorter after a request that did not reach AWS.
pub(super) const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// Shortest and longest wait after a transient failure, with full jitter.
const TRANSIENT: (Duration, Duration) = (Duration::from_secs(1), LONGEST_WAIT);
/// First and longest wait after a refusal. Attempts never end, because the cause is a configuration in AWS that somebody will correct.
const REFUSED: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(900));
/// Relative jitter of a refresh, so that a fleet spreads.
const SPREAD: f64 = 0.1;
/// The first refresh after a start is at a random moment between these fractions of the lifetime. A fleet that started together after a
/// power cut would otherwise send its requests together for twelve hours, at five times the average rate.
const FIRST: (f64, f64) = (0.25, 0.74);
/// botocore asks for new credentials at each signature once less than 15 min are left, so the first refresh comes before that.
const SDK_WINDOW: Duration = Duration::from_secs(930);
/// Longest wait while AWS throttles and the current set is still valid.
const LONGEST_THROTTLED: Duration = Duration::from_secs(1800);

/// Schedule of one role alias.
#[derive(Debug)]
pub(in crate::cloud) struct Schedule {
    transient: Backoff,
    refused: Duration,
    has_refreshed: bool,
    random: fastrand::Rng,
}

impl Schedule {
    pub(in crate::cloud) fn new(mut random: fastrand::Rng) -> Self {
        let transient = Backoff::new(TRANSIENT.0, TRANSIENT.1 - TRANSIENT.0, random.fork());
        Self {
            transient,
            refused: REFUSED.0,
            has_refreshed: false,
            random,
        }
    }

    /// Returns the wait after a success: half of the lifetime, a tenth more or less, and anywhere in the middle of it the first time. A set
    /// that lives for only minutes is replaced sooner, because programs no longer get it in its last minute.
    pub(in crate::cloud) fn after_success(&mut self, lifetime: Duration) -> Duration {
        self.transient.reset();
        self.refused = REFUSED.0;
        let handed_out = lifetime.saturating_sub(USABLE_MARGIN);
        let is_first = !std::mem::replace(&mut self.has_refreshed, true);
        let wait = if is_first {
            let latest = lifetime
                .mul_f64(FIRST.1)
                .min(lifetime.saturating_sub(SDK_WINDOW))
                .max(lifetime.mul_f64(0.5 + SPREAD / 2.0));
            let earliest = lifetime.mul_f64(FIRST.0);
            earliest + latest.saturating_sub(earliest).mul_f64(self.random.f64())
        } else {
            jitter(lifetime / 2, SPREAD, &mut self.random)
        };
        let longest = jitter(handed_out * 2 / 3, SPREAD, &mut self.random);
        wait.min(longest).max(MIN_INTERVAL)
    }

    /// Returns the wait after a failure; `left` is the remaining lifetime of the current set.
    ///
    /// While AWS throttles, a gateway with a valid set waits for up to half of what is left of it, and leaves the quota to gateways
    /// without one.
    pub(in crate::cloud) fn after_failure(&mut self, failure: &Failure, left: Option<Duration>) -> Duration {
        let spare = left.map_or(Duration::ZERO, |left| left.saturating_sub(USABLE_MARGIN) / 2);
        match failure {
            Failure::Throttled(_) if spare > LONGEST_WAIT => spare
                .min(LONGEST_THROTTLED)
                .mul_f64(self.random.f64())
                .max(MIN_INTERVAL),
            Failure::Unreachable(_) | Failure::Throttled(_) | Failure::Transient(_) => {
                TRANSIENT.0 + self.transient.next_wait()
            }
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

    /// Returns a schedule after its first refresh.
    fn schedule(seed: u64) -> Schedule {
        let mut schedule = Schedule::new(fastrand::Rng::with_seed(seed));
        schedule.after_success(Duration::from_secs(3600));
        schedule
    }

    #[test]
    fn refresh_is_at_half_of_the_lifetime_plus_or_minus_a_tenth() {
        let mut schedule = schedule(5);
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
    fn a_fleet_that_starts_together_spreads_with_its_first_refresh() {
        // Lifetime, and the first and the last second of the first refresh.
        let cases = [
            (43_200, 10_800, 31_968),
            (7200, 1800, 5328),
            (3600, 900, 2664),
            (2000, 500, 1100),
            (900, 225, 495),
            (180, 45, 88),
        ];
        for (lifetime, first, last) in cases {
            let waits: Vec<u64> = (0..2000)
                .map(|seed| {
                    let mut schedule = Schedule::new(fastrand::Rng::with_seed(seed));
                    schedule.after_success(Duration::from_secs(lifetime)).as_secs()
                })
                .collect();
            assert!(waits.iter().all(|wait| (first..=last).contains(wait)), "{lifetime}");
            let tenth = (last - first) / 10;
            assert!(waits.iter().any(|wait| *wait < first + tenth), "{lifetime}");
            assert!(waits.iter().any(|wait| *wait > last - 2 * tenth), "{lifetime}");
            if lifetime >= 2000 {
                assert!(
                    waits.iter().all(|wait| lifetime - wait >= 900),
                    "{lifetime}: an SDK asks again"
                );
            }
        }
    }

    #[test]
    fn promise_3_a_refresh_happens_before_the_set_is_withheld() {
        for seed in 0..50 {
            for seconds in [75, 90, 120, 180, 300, 900, 3600, 43_200] {
                let mut schedule = Schedule::new(fastrand::Rng::with_seed(seed));
                for _ in 0..2 {
                    let lifetime = Duration::from_secs(seconds);
                    let wait = schedule.after_success(lifetime);
                    assert!(
                        wait >= MIN_INTERVAL && wait < lifetime - USABLE_MARGIN,
                        "{lifetime:?}: {wait:?}"
                    );
                }
            }
        }
        assert_eq!(schedule(7).after_success(Duration::from_secs(61)), MIN_INTERVAL);
    }

    #[test]
    fn refusals_are_slow_and_transient_failures_quick_until_they_last() {
        let mut schedule = schedule(6);
        let refused = Failure::Refused(Problem::configuration("403"));
        for transient in [
            Failure::Transient(Problem::wait("no JSON")),
            Failure::Unreachable(Problem::wait("no route")),
            Failure::Throttled(Problem::wait("500")),
        ] {
            assert!(schedule.after_failure(&transient, None) <= Duration::from_secs(2));
            for _ in 0..20 {
                let wait = schedule.after_failure(&transient, None);
                assert!(wait >= TRANSIENT.0 && wait <= TRANSIENT.1, "{wait:?}");
                let wait = schedule.after_failure(&refused, None);
                assert!(
                    wait >= REFUSED.0.mul_f64(0.9) && wait <= REFUSED.1.mul_f64(1.1),
                    "{wait:?}"
                );
            }
            schedule.after_success(Duration::from_secs(3600));
            assert!(
                schedule.after_failure(&transient, None) <= Duration::from_secs(2),
                "a success resets the wait"
            );
        }
    }

    #[test]
    fn a_gateway_with_a_valid_set_leaves_the_quota_to_those_without() {
        // Seconds left of the set, and the longest wait after throttling.
        let cases = [
            (None, 120),
            (Some(30), 120),
            (Some(61), 120),
            (Some(240), 120),
            (Some(600), 270),
            (Some(1800), 870),
            (Some(3600), 1770),
            (Some(43_200), 1800),
        ];
        for (left, longest) in cases {
            let throttled = Failure::Throttled(Problem::wait("429"));
            let mut schedule = schedule(8);
            let waits: Vec<Duration> = (0..2000)
                .map(|_| schedule.after_failure(&throttled, left.map(Duration::from_secs)))
                .collect();
            let most = waits.iter().max().unwrap();
            assert!(
                most.as_secs() <= longest && most.as_secs() * 10 > longest * 9,
                "{left:?}: {most:?}"
            );
            assert!(waits.iter().any(|wait| *wait <= MIN_INTERVAL), "{left:?}: full jitter");
        }
        // An outage is not throttling: a gateway that cannot reach AWS keeps trying.
        let unreachable = Failure::Unreachable(Problem::wait("no route"));
        let wait = schedule(8).after_failure(&unreachable, Some(Duration::from_secs(3600)));
        assert!(wait <= Duration::from_secs(2), "{wait:?}");
    }
}
