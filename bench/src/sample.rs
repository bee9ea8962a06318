//! A set of measured times.

use std::time::Duration;

/// Times in ascending order; at least one.
#[derive(Clone, Debug)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Creates a sample from times in any order; `None` if there are none.
    #[must_use]
    pub fn new(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        (!times.is_empty()).then_some(Self(times))
    }

    /// Returns the percentile (0 to 100), by the nearest rank.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent.min(100)).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// Returns the median.
    #[must_use]
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }
}

/// Returns the median of the same figure from several rounds, so that a disturbance of one round does not count.
#[must_use]
pub fn middle(rounds: &[Sample], figure: impl Fn(&Sample) -> Duration) -> Duration {
    Sample::new(rounds.iter().map(figure).collect()).map_or(Duration::ZERO, |sample| sample.median())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(millis: impl IntoIterator<Item = u64>) -> Sample {
        Sample::new(millis.into_iter().map(Duration::from_millis).collect()).unwrap()
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let hundred = sample((1..=100).rev());
        for (percent, millis) in [(0, 1), (1, 1), (50, 50), (99, 99), (100, 100), (1000, 100)] {
            assert_eq!(hundred.percentile(percent), Duration::from_millis(millis), "{percent}");
        }
        assert_eq!(sample([7]).percentile(99), Duration::from_millis(7));
        assert_eq!(sample([3, 1, 2]).median(), Duration::from_millis(2));
        assert!(Sample::new(Vec::new()).is_none());
    }

    #[test]
    fn one_bad_round_drops_out() {
        let rounds = [sample([1, 2, 3]), sample([900, 900, 900]), sample([2, 3, 4])];
        assert_eq!(middle(&rounds, Sample::median), Duration::from_millis(3));
    }
}
