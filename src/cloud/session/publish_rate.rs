//! Rate limit for messages: AWS IoT accepts 100 per second and connection, in both directions together, and discards the rest
//! (quotas, "Publish requests per second per connection").

use std::time::Duration;

use tokio::time::Instant;

/// A rate limiter with virtual scheduling (ITU-T I.371, generic cell rate algorithm). No second has more messages than the rate,
/// because the burst is subtracted from the steady rate.
#[derive(Debug)]
pub(super) struct PublishRate {
    /// Time that each message takes at the steady rate.
    one: Duration,
    burst: Duration,
    /// Theoretical time of the next message.
    due: Instant,
    /// Time of the last message sent.
    last_sent: Instant,
}

impl PublishRate {
    /// Allows `rate` messages in any second, a tenth of them in a burst.
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

    /// Returns when the next message may be sent. A tenth of the rate is reserved for sending: otherwise a steady stream of incoming
    /// messages would stop the outbox.
    pub(super) fn free_at(&self) -> Instant {
        let free = self.due.checked_sub(self.burst).unwrap_or(self.due);
        free.min(self.last_sent + self.one * 10)
    }

    /// Counts a sent message.
    pub(super) fn send(&mut self, now: Instant) {
        self.last_sent = now;
        self.receive(now);
    }

    /// Counts a received message.
    pub(super) fn receive(&mut self, now: Instant) {
        // However many messages arrived: one second after the last, the full rate is available again.
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
            let mut limiter = PublishRate::new(rate, start);
            let mut sent: Vec<Instant> = Vec::new();
            let mut now = start;
            while now < start + Duration::from_secs(5) {
                now = now.max(limiter.free_at());
                limiter.send(now);
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
    fn incoming_messages_leave_a_tenth_of_the_rate() {
        for rate in [1_u32, 2, 10, 100] {
            // In percent of the rate.
            for incoming in [0_u32, 50, 89, 91, 100, 110, 200, 1000] {
                let start = Instant::now();
                let mut limiter = PublishRate::new(rate, start);
                let (mut came, mut sent) = (0_u32, 0_u32);
                for millisecond in 0..60_000_u32 {
                    let now = start + Duration::from_millis(millisecond.into());
                    while came < millisecond / 10 * rate * incoming / 10_000 {
                        came += 1;
                        limiter.receive(now);
                    }
                    if now >= limiter.free_at() {
                        sent += 1;
                        limiter.send(now);
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
