//! An operator's request on an open connection: what AWS has refused on it is asked for again.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

use super::timing::RETRY_INTERVAL;

/// The state of an operator's request on one connection.
#[derive(Debug, Default)]
pub(super) struct RefusedRetry {
    /// When AWS was last asked again at an operator's request.
    last: Option<Instant>,
    /// When AWS may be asked again, if an operator requests it.
    due: Option<Instant>,
    /// Whether AWS was asked again, and its answers are not counted yet.
    is_asking: bool,
}

impl RefusedRetry {
    /// Records an operator's request. However many there are, AWS is asked at most once per interval.
    pub(super) fn request(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| last + RETRY_INTERVAL);
        self.due = Some(earliest.max(now));
    }

    /// Returns when AWS is to be asked again. The future borrows nothing.
    pub(super) fn due(&self) -> impl Future<Output = ()> + use<> {
        let due = self.due;
        async move {
            match due {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        }
    }

    /// Records that the request was carried out. `has_asked` tells whether AWS had refused anything that it was asked for again.
    pub(super) fn carried_out(&mut self, now: Instant, has_asked: bool) {
        self.due = None;
        self.last = has_asked.then_some(now).or(self.last);
        self.is_asking = true;
    }

    /// Returns true once after each request that was carried out, as soon as AWS has answered everything (`is_settled`).
    pub(super) fn has_ended(&mut self, is_settled: bool) -> bool {
        is_settled && std::mem::take(&mut self.is_asking)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn aws_is_asked_at_once_and_then_at_most_once_per_interval() {
        let mut retry = RefusedRetry::default();
        assert!(timeout(10 * RETRY_INTERVAL, retry.due()).await.is_err(), "nobody asked");
        assert!(!retry.has_ended(true));
        retry.request(Instant::now());
        timeout(SHORT, retry.due()).await.unwrap();
        retry.carried_out(Instant::now(), true);
        assert!(timeout(10 * SHORT, retry.due()).await.is_err(), "it was carried out");
        for (is_settled, has_ended) in [(false, false), (true, true), (true, false)] {
            assert_eq!(retry.has_ended(is_settled), has_ended);
        }
        let asked = Instant::now();
        for _ in 0..20 {
            retry.request(Instant::now());
        }
        timeout(RETRY_INTERVAL, retry.due()).await.unwrap();
        assert!(asked.elapsed() > RETRY_INTERVAL / 2, "{:?}", asked.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_anything_refused_costs_aws_nothing_and_delays_no_other() {
        let mut retry = RefusedRetry::default();
        for _ in 0..5 {
            retry.request(Instant::now());
            timeout(SHORT, retry.due()).await.unwrap();
            retry.carried_out(Instant::now(), false);
            assert!(retry.has_ended(true));
        }
    }
}
