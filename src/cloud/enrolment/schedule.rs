//! Schedule of enrolment: when a certificate is renewed, when a failed attempt is repeated, and when a person is notified.

use std::time::{Duration, SystemTime};

use ring::digest::{SHA256, digest};

/// Fraction of its lifetime after which a certificate is renewed.
const RENEWAL: f64 = 2.0 / 3.0;
/// Maximum shift of a renewal in both directions, as a fraction of the lifetime, so that gateways that were enrolled together do not renew
/// together.
const SPREAD: f64 = 0.05;
/// A person is notified after this fraction of the time between renewal and expiry.
const ATTENTION: f64 = 0.5;
/// In this last fraction of the lifetime, attempts become more frequent again.
const LAST_PART: f64 = 0.1;

/// The first wait between attempts, and the maximum.
const WAITS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(6 * 3600));
/// Maximum wait in the last part of the lifetime, and without any certificate.
const URGENT_WAIT: Duration = Duration::from_secs(3600);
/// Maximum wait after a refusal without any certificate, because somebody may be standing by.
const REFUSED_WAIT: Duration = Duration::from_secs(15 * 60);
/// Minimum wait. A certificate with a lifetime of minutes gets as many attempts in its lifetime as one of months.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// How many of the first and of the maximum waits fit into a lifetime.
const WAITS_IN_A_LIFE: (u32, u32) = (360, 36);

/// The validity of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Beginning of the validity.
    pub not_before: SystemTime,
    /// End of the validity.
    pub not_after: SystemTime,
}

impl Validity {
    /// Returns the length of the validity.
    pub fn lifetime(&self) -> Duration {
        self.not_after.duration_since(self.not_before).unwrap_or_default()
    }

    /// Returns when the certificate is renewed: after two thirds of its lifetime, up to 5 % earlier or later depending on `name`.
    pub fn renewal(&self, name: &str) -> SystemTime {
        let part = RENEWAL + SPREAD * spread_of(name);
        self.not_before + self.lifetime().mul_f64(part)
    }

    /// Returns when a person is notified that the certificate was not renewed.
    pub fn attention(&self, name: &str) -> SystemTime {
        let renewal = self.renewal(name);
        let left = self.not_after.duration_since(renewal).unwrap_or_default();
        renewal + left.mul_f64(ATTENTION)
    }

    /// Returns whether the validity has ended.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        now > self.not_after
    }

    fn is_in_last_part(&self, now: SystemTime) -> bool {
        let left = self.not_after.duration_since(now).unwrap_or_default();
        left < self.lifetime().mul_f64(LAST_PART)
    }
}

/// The reason for a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// The server was not reached, or did not answer properly.
    Failure,
    /// The server has understood and refused the request.
    Refusal,
}

/// Returns the wait after this number of failures in a row. `validity` is that of the certificate in use.
///
/// The wait is drawn at random from the upper half of an interval that doubles from 1 minute to 6 hours; for lifetimes shorter than nine
/// days its maximum is a fraction of the lifetime. A refusal leads to the maximum at once, because only people can remove its cause.
pub fn retry_wait(
    failures: u32,
    reason: RetryReason,
    validity: Option<&Validity>,
    now: SystemTime,
    random: &mut fastrand::Rng,
) -> Duration {
    let valid = validity.filter(|validity| !validity.has_expired(now));
    let (mut first, mut longest) = WAITS;
    // Short lifetimes need short waits, also after a certificate has expired.
    if let Some(validity) = validity {
        let (firsts, longests) = WAITS_IN_A_LIFE;
        first = first.min(validity.lifetime() / firsts);
        longest = longest.min(validity.lifetime() / longests);
    }
    if valid.is_none_or(|validity| validity.is_in_last_part(now)) {
        longest = longest.min(URGENT_WAIT);
    }
    let ceiling = match (reason, valid) {
        (RetryReason::Refusal, None) => REFUSED_WAIT,
        (RetryReason::Refusal, Some(_)) => longest,
        (RetryReason::Failure, _) => {
            let doublings = failures.saturating_sub(1).min(16);
            first.saturating_mul(1 << doublings).min(longest)
        }
    };
    ceiling.max(SHORTEST_WAIT).mul_f64(0.5 + 0.5 * random.f64())
}

/// Returns a number between -1 and 1 that depends only on the name.
fn spread_of(name: &str) -> f64 {
    let hash = digest(&SHA256, name.as_bytes());
    let first = hash.as_ref().first_chunk().copied().unwrap_or_default();
    f64::from(u32::from_be_bytes(first)) / f64::from(u32::MAX) * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn living(seconds: u64) -> Validity {
        Validity {
            not_before: at(0),
            not_after: at(seconds),
        }
    }

    #[test]
    fn a_fleet_renews_around_two_thirds_and_each_gateway_always_at_the_same_time() {
        let life = living(90 * DAY);
        let days: Vec<f64> = (0..1000)
            .map(|number| life.renewal(&format!("gw-{number}")).duration_since(at(0)).unwrap())
            .map(|since| since.as_secs_f64() / 86_400.0)
            .collect();
        assert!(days.iter().all(|day| (55.5..=64.5).contains(day)), "{days:?}");
        // Each day of the nine gets its share.
        for day in 56_u32..64 {
            let begin = f64::from(day);
            let share = days.iter().filter(|at| (begin..begin + 1.0).contains(*at)).count();
            assert!((60..180).contains(&share), "day {day}: {share}");
        }
        assert_eq!(life.renewal("gw-1"), life.renewal("gw-1"));
        let attention = life.attention("gw-1").duration_since(life.renewal("gw-1")).unwrap();
        let left = life.not_after.duration_since(life.renewal("gw-1")).unwrap();
        assert_eq!(attention.as_secs(), left.as_secs() / 2);
    }

    #[test]
    fn waits_grow_and_shrink_with_the_life() {
        let year = living(365 * DAY);
        let month = living(30 * DAY);
        let minute = living(60);
        for (failures, reason, validity, now, ceiling) in [
            (1, RetryReason::Failure, Some(&year), at(250 * DAY), 60),
            (2, RetryReason::Failure, Some(&year), at(250 * DAY), 120),
            (5, RetryReason::Failure, Some(&year), at(250 * DAY), 960),
            (10, RetryReason::Failure, Some(&year), at(250 * DAY), 6 * 3600),
            (u32::MAX, RetryReason::Failure, Some(&year), at(250 * DAY), 6 * 3600),
            (10, RetryReason::Failure, Some(&year), at(360 * DAY), 3600),
            (1, RetryReason::Failure, Some(&year), at(360 * DAY), 60),
            (1, RetryReason::Refusal, Some(&year), at(250 * DAY), 6 * 3600),
            (1, RetryReason::Refusal, Some(&year), at(360 * DAY), 3600),
            (10, RetryReason::Failure, Some(&month), at(20 * DAY), 6 * 3600),
            (1, RetryReason::Failure, Some(&minute), at(40), 1),
            (9, RetryReason::Failure, Some(&minute), at(40), 2),
            (1, RetryReason::Failure, None, at(0), 60),
            (20, RetryReason::Failure, None, at(0), 3600),
            (1, RetryReason::Refusal, None, at(0), 900),
            // An expired certificate counts as none, but its life still says how long a wait may be.
            (1, RetryReason::Failure, Some(&year), at(366 * DAY), 60),
            (20, RetryReason::Failure, Some(&year), at(366 * DAY), 3600),
            (20, RetryReason::Failure, Some(&minute), at(61), 2),
            (1, RetryReason::Refusal, Some(&minute), at(61), 900),
        ] {
            let mut random = fastrand::Rng::with_seed(5);
            let draws: Vec<Duration> = (0..200)
                .map(|_| retry_wait(failures, reason, validity, now, &mut random))
                .collect();
            let (least, most) = (draws.iter().min().unwrap(), draws.iter().max().unwrap());
            let expected = Duration::from_secs(ceiling);
            let name = format!("{failures} {reason:?} {validity:?}");
            assert!(*most <= expected && *most > expected.mul_f64(0.8), "{name}: {most:?}");
            assert!(*least >= expected.mul_f64(0.4), "{name}: {least:?}");
        }
    }

    #[test]
    fn a_certificate_that_ends_before_it_begins_does_no_harm() {
        let reversed = Validity {
            not_before: at(100),
            not_after: at(0),
        };
        assert_eq!(reversed.renewal("gw"), at(100));
        assert_eq!(reversed.attention("gw"), at(100));
        let mut random = fastrand::Rng::with_seed(1);
        let wait = retry_wait(1, RetryReason::Failure, Some(&reversed), at(0), &mut random);
        assert!(wait <= SHORTEST_WAIT);
    }
}
