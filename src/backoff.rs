//! Exponential backoff with full jitter.
//!
//! Full jitter (a uniform draw between zero and the ceiling) spreads out the retries of a fleet that lost its network at the same
//! moment; AWS's Well-Architected IoT Lens (BP 11.4) asks for it. The caller passes the random source, which tests seed.

use std::time::Duration;

/// The longest wait between two attempts to reach AWS, for every endpoint. AWS's own SDKs use the same. In a simulation
/// (cloud/jitp/fleet_tests.rs) a fleet that lost AWS reconnects within 1.2 times the minimum that AWS's quota allows; with 300 s it
/// took up to 1.8 times.
pub const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// A sequence of random waits below a growing ceiling.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    limit: Duration,
    ceiling: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// Creates a backoff whose ceiling starts at `first` and doubles up to `limit`; a `limit` below `first` counts as `first`.
    pub fn new(first: Duration, limit: Duration, random: fastrand::Rng) -> Self {
        Self {
            first,
            limit: limit.max(first),
            ceiling: first,
            random,
        }
    }

    /// Returns the next wait, between 0 and the ceiling, and doubles the ceiling.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(self.random.f64());
        self.ceiling = self.ceiling.saturating_mul(2).min(self.limit);
        wait
    }

    /// Starts again from the first ceiling.
    pub fn reset(&mut self) {
        self.ceiling = self.first;
    }
}

/// Returns `duration`, randomly lengthened or shortened by up to `part` (0.1 for ten percent).
pub fn jitter(duration: Duration, part: f64, random: &mut fastrand::Rng) -> Duration {
    duration.mul_f64(1.0 + part.clamp(0.0, 1.0) * (2.0 * random.f64() - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_to_the_limit_and_resets() {
        let (first, limit) = (Duration::from_secs(1), Duration::from_secs(300));
        let mut backoff = Backoff::new(first, limit, fastrand::Rng::with_seed(7));
        let mut ceiling = first;
        for _ in 0..20 {
            assert!(backoff.next_wait() <= ceiling);
            ceiling = (ceiling * 2).min(limit);
        }
        assert_eq!(backoff.ceiling, limit);
        backoff.reset();
        assert!(backoff.next_wait() <= first);
    }

    #[test]
    fn draws_fill_the_whole_range() {
        let mut backoff = Backoff::new(
            Duration::from_secs(100),
            Duration::from_secs(100),
            fastrand::Rng::with_seed(1),
        );
        let draws: Vec<u64> = (0..200).map(|_| backoff.next_wait().as_secs()).collect();
        assert!(
            draws.iter().any(|d| *d < 10) && draws.iter().any(|d| *d > 90),
            "{draws:?}"
        );
    }

    #[test]
    fn jitter_stays_within_its_part() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..1000 {
            let drawn = jitter(Duration::from_secs(1800), 0.1, &mut random).as_secs();
            assert!((1620..=1980).contains(&drawn), "{drawn}");
        }
    }
}
