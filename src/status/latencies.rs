//! A histogram of durations.

use std::time::Duration;

/// Upper bounds in seconds: from a software token's tenth of a millisecond to a slow TPM's two seconds.
pub const BOUNDS: [f64; 10] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// A histogram of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latencies {
    within: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Latencies {
    /// Counts a duration.
    pub fn observe(&mut self, took: Duration) {
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
        let took = took.as_secs_f64();
        for (within, bound) in self.within.iter_mut().zip(BOUNDS) {
            *within += u64::from(took <= bound);
        }
    }

    /// Returns each of the `BOUNDS` with the number of durations up to it.
    pub fn within(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS.into_iter().zip(self.within)
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum of all durations.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_cumulative() {
        let mut latencies = Latencies::default();
        for milliseconds in [1, 40, 40, 9000] {
            latencies.observe(Duration::from_millis(milliseconds));
        }
        let within: Vec<u64> = latencies.within().map(|(_, count)| count).collect();
        assert_eq!(within, [0, 1, 1, 1, 3, 3, 3, 3, 3, 3]);
        assert_eq!((latencies.count(), latencies.sum()), (4, Duration::from_millis(9081)));
    }
}
