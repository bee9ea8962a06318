//! How fast messages go: AWS IoT takes 100 a second of a connection, in both directions together, and discards the rest
//! (quotas, "Publish requests per second per connection").

use std::time::Duration;

use tokio::time::Instant;

/// Virtual scheduling (ITU-T I.371, generic cell rate algorithm): no second sees more than the rate, because what may come
/// in a burst is taken from it.
#[derive(Debug)]
pub(super) struct PublishRate {
    one: Duration,
    burst: Duration,
    due: Instant,
    /// When the last message went.
    last_sent: Instant,
}

impl PublishRate {
    /// `rate` messages in any second, a tenth of them at once.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        let burst = (rate / 10).max(1);
        let steady = rate.saturating_sub(burst).max(1);
        let one = Duration::from_secs(1) / steady;
        Self {
            one,
            burst: one * burst.saturating_sub(1),
            due: now,
            last_sent: now,
        }
    }

    /// When the next message may go. However many come, a tenth of the rate is ours: else messages that come as fast as AWS
    /// allows would stop the outbox for as long as they do.
    pub(super) fn free_at(&self) -> Instant {
        let free = self.due.checked_sub(self.burst).unwrap_or(self.due);
        free.min(self.last_sent + self.one * 10)
    }

    /// A message goes.
    pub(super) fn send(&mut self, now: Instant) {
        self.last_sent = now;
        self.receive(now);
    }

    /// A message has come.
    pub(super) fn receive(&mut self, now: Instant) {
        // However many have come: after a second without any the rate is ours again.
        self.due = (self.due.max(now) + self.one).min(now + Duration::from_secs(1) + self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_than_the_rate_and_the_rate_is_used() {
        for rate in [1, 2, 10, 100, 1000] {
            let start = Instant::now();
            let mut pace = PublishRate::new(rate, start);
            let mut sent: Vec<Instant> = Vec::new();
            let mut now = start;
            while now < start + Duration::from_secs(5) {
                now = now.max(pace.free_at());
                pace.send(now);
                sent.push(now);
            }
            let most = sent.iter().map(|first| {
                let second = *first..*first + Duration::from_secs(1);
                sent.iter().filter(|at| second.contains(at)).count()
            });
            let most = u32::try_from(most.max().unwrap()).unwrap();
            assert!(
                most <= rate.max(2) && most * 10 + 10 >= rate * 9,
                "{most} in a second at {rate}"
            );
        }
    }

    #[test]
    fn whatever_comes_leaves_a_tenth_of_the_rate() {
        for rate in [1_u32, 2, 10, 100] {
            // In percent of the rate.
            for incoming in [0_u32, 50, 89, 91, 100, 110, 200, 1000] {
                let start = Instant::now();
                let mut pace = PublishRate::new(rate, start);
                let (mut came, mut sent) = (0_u32, 0_u32);
                for millisecond in 0..60_000_u32 {
                    let now = start + Duration::from_millis(millisecond.into());
                    while came < millisecond / 10 * rate * incoming / 10_000 {
                        came += 1;
                        pace.receive(now);
                    }
                    if now >= pace.free_at() {
                        sent += 1;
                        pace.send(now);
                    }
                }
                let least = 60 * (rate - (rate / 10).max(1)).max(1) / 11;
                assert!(sent >= least, "{sent} sent at {rate} with {incoming} % coming");
                let most = (60 * rate * 110 / 100).max(60 * rate * incoming / 100 + least);
                assert!(sent <= most, "{sent} sent at {rate} with {incoming} % coming");
            }
        }
    }
}
