//! Signals to tasks that wait after a network failure that another attempt may succeed now, because this machine's network has changed
//! or another connection to AWS has succeeded.
//!
//! Only tasks that could not reach AWS listen. A task that AWS answered, throttled or dropped keeps its backoff with full jitter, so that
//! a fleet does not return all at once after an outage of AWS.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// The attempt is made at a random moment within this time of the signal, so that gateways behind the same switch spread.
pub const SPREAD: Duration = Duration::from_millis(1500);

/// An attempt is not restarted before this age: it may be waiting for the token, and the kernel repeats an unanswered SYN within this
/// time.
const MIN_AGE: Duration = Duration::from_secs(3);

/// The sending side. Clones share their listeners.
#[derive(Clone, Debug)]
pub struct Recovery {
    signals: watch::Sender<u64>,
    /// Counts the network changes among the signals.
    changes: watch::Sender<u64>,
}

/// The listener of one task.
#[derive(Debug)]
pub struct RecoveryListener {
    signals: watch::Receiver<u64>,
    changes: watch::Receiver<u64>,
    random: fastrand::Rng,
}

impl Recovery {
    /// Creates the sending side, without listeners.
    pub fn new() -> Self {
        Self {
            signals: watch::Sender::new(0),
            changes: watch::Sender::new(0),
        }
    }

    /// Announces that AWS was reached, and wakes every listener that waits for its next attempt.
    pub fn announce_success(&self) {
        self.signals.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Announces that this machine's network has changed, so that attempts that hang are restarted as well.
    pub fn announce_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        self.announce_success();
    }

    /// Creates a listener for future announcements.
    pub fn listen(&self) -> RecoveryListener {
        RecoveryListener {
            signals: self.signals.subscribe(),
            changes: self.changes.subscribe(),
            random: fastrand::Rng::new(),
        }
    }
}

impl RecoveryListener {
    /// Ignores all announcements so far.
    pub fn mark_heard(&mut self) {
        self.signals.mark_unchanged();
        self.changes.mark_unchanged();
    }

    /// Waits for a new announcement, and then for a random part of [`SPREAD`]. Cancel safe: an announcement stays new until a call
    /// returns.
    pub async fn wait_for_signal(&mut self) {
        let mut signals = self.signals.clone();
        if signals.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep(SPREAD.mul_f64(self.random.f64())).await;
        self.signals.mark_unchanged();
    }

    /// Returns when an attempt that began at `started` and has not ended should be restarted: the network has changed, and the attempt
    /// may depend on a route that no longer exists. Cancel safe.
    pub async fn wait_for_restart(&mut self, started: Instant) {
        let mut changes = self.changes.clone();
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let earliest = Instant::now().max(started + MIN_AGE);
        sleep_until(earliest + SPREAD.mul_f64(self.random.f64())).await;
        self.mark_heard();
    }

    /// Returns when this machine's network has changed since the last call. Cancel safe.
    pub async fn network_changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn every_listener_wakes_once_at_its_own_moment() {
        let recovery = Recovery::new();
        recovery.announce_success();
        let mut listeners: Vec<RecoveryListener> = (0..50).map(|_| recovery.listen()).collect();
        assert!(
            timeout(LONG, listeners[0].wait_for_signal()).await.is_err(),
            "announced before it listened"
        );
        recovery.announce_success();
        recovery.announce_success();
        let mut moments = Vec::new();
        for listener in &mut listeners {
            let announced = Instant::now();
            listener.wait_for_signal().await;
            moments.push(announced.elapsed());
            assert!(
                timeout(LONG, listener.wait_for_signal()).await.is_err(),
                "two announcements are one attempt"
            );
        }
        assert!(moments.iter().all(|moment| *moment <= SPREAD), "{moments:?}");
        moments.sort_unstable();
        moments.dedup();
        assert!(moments.len() > 25, "they spread: {moments:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_wait_loses_no_announcement_and_marking_does() {
        let recovery = Recovery::new();
        let mut listener = recovery.listen();
        recovery.announce_success();
        assert!(timeout(Duration::ZERO, listener.wait_for_signal()).await.is_err());
        timeout(LONG, listener.wait_for_signal()).await.unwrap();
        recovery.announce_success();
        listener.mark_heard();
        assert!(timeout(LONG, listener.wait_for_signal()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_young_attempt_is_not_restarted_at_once() {
        let recovery = Recovery::new();
        for age in [0, 1, 2, 3, 10, 60] {
            let mut listener = recovery.listen();
            let started = Instant::now();
            tokio::time::advance(Duration::from_secs(age)).await;
            recovery.announce_change();
            let announced = Instant::now();
            listener.wait_for_restart(started).await;
            assert!(started.elapsed() >= MIN_AGE, "{age}");
            assert!(announced.elapsed() <= MIN_AGE + SPREAD, "{age}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_elsewhere_restarts_no_attempt() {
        let recovery = Recovery::new();
        let mut listener = recovery.listen();
        recovery.announce_success();
        assert!(timeout(LONG, listener.wait_for_restart(Instant::now())).await.is_err());
        timeout(LONG, listener.wait_for_signal()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_change_is_announced_once_and_a_success_does_not_count_as_one() {
        let recovery = Recovery::new();
        let mut listener = recovery.listen();
        recovery.announce_success();
        assert!(timeout(LONG, listener.network_changed()).await.is_err());
        recovery.announce_change();
        recovery.announce_change();
        timeout(LONG, listener.network_changed()).await.unwrap();
        assert!(timeout(LONG, listener.network_changed()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_sender_no_listener_wakes() {
        let mut listener = Recovery::new().listen();
        assert!(timeout(LONG, listener.wait_for_signal()).await.is_err());
        assert!(timeout(LONG, listener.network_changed()).await.is_err());
    }
}
