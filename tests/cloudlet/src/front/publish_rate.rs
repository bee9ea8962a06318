//! Limits the rate at which a connection may send.

use std::time::Duration;

use tokio::time::Instant;

use super::limits;

/// The amount that a connection has sent in the current second.
#[derive(Debug)]
pub(super) struct PublishRate {
    second: Instant,
    messages: u32,
    bytes: usize,
}

/// The decision on a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RateVerdict {
    Pass,
    /// It is delayed by this time.
    Delay(Duration),
    Discard,
}

impl PublishRate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            second: now,
            messages: 0,
            bytes: 0,
        }
    }

    /// Counts a message. Of messages, "excess is discarded"; of bytes, "excess is delayed" (quotas). `most` is the maximum number of
    /// messages.
    pub(super) fn count(&mut self, bytes: usize, most: u32, now: Instant) -> RateVerdict {
        let second = Duration::from_secs(1);
        let passed = now.saturating_duration_since(self.second);
        if passed >= second {
            *self = Self::new(now);
        }
        if self.messages >= most {
            return RateVerdict::Discard;
        }
        self.messages += 1;
        self.bytes += bytes;
        if self.bytes <= limits::MAX_BYTES_PER_SECOND {
            return RateVerdict::Pass;
        }
        // Large messages use up the following seconds as well.
        let excess = u32::try_from(self.bytes - limits::MAX_BYTES_PER_SECOND).unwrap_or(u32::MAX);
        let most = u32::try_from(limits::MAX_BYTES_PER_SECOND).unwrap_or(u32::MAX);
        RateVerdict::Delay(second * excess / most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{PublishRate, RateVerdict};

    #[test]
    fn the_hundred_and_first_message_of_a_second_is_discarded() {
        let start = Instant::now();
        let mut rate = PublishRate::new(start);
        for _ in 0..100 {
            assert_eq!(rate.count(1, 100, start), RateVerdict::Pass);
        }
        assert_eq!(rate.count(1, 100, start), RateVerdict::Discard);
        assert_eq!(rate.count(1, 100, start + Duration::from_secs(1)), RateVerdict::Pass);
    }

    #[test]
    fn bytes_beyond_512_kib_a_second_are_delayed() {
        let start = Instant::now();
        let mut rate = PublishRate::new(start);
        for _ in 0..4 {
            assert_eq!(rate.count(128 * 1024, 100, start), RateVerdict::Pass);
        }
        assert_eq!(
            rate.count(128 * 1024, 100, start),
            RateVerdict::Delay(Duration::from_millis(250))
        );
    }
}
