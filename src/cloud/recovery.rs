//! Tells tasks that wait after a network failure that another attempt is worth it now: this machine's network has changed, or
//! another connection to AWS has succeeded.
//!
//! Only who could not reach AWS listens. Who was answered, throttled or dropped by AWS keeps to its backoff with full jitter,
//! so that an outage at AWS's end does not turn into a herd when it ends.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// An attempt is made at a random moment within this time of the signal: gateways behind the same switch spread.
pub const SPREAD: Duration = Duration::from_millis(1500);

/// An attempt that has taken no longer than this is not given up: it may be waiting for the token, and the kernel sends a SYN
/// without an answer again within this time.
const YOUNG: Duration = Duration::from_secs(3);

/// The sending end; clones share their listeners.
#[derive(Clone, Debug)]
pub struct Recovery {
    signals: watch::Sender<u64>,
    /// Counts the changes of the network among them.
    changes: watch::Sender<u64>,
}

/// The end of one task that waits.
#[derive(Debug)]
pub struct RecoveryListener {
    signals: watch::Receiver<u64>,
    changes: watch::Receiver<u64>,
    random: fastrand::Rng,
}

impl Recovery {
    /// A sending end that nobody listens to yet.
    pub fn new() -> Self {
        Self {
            signals: watch::Sender::new(0),
            changes: watch::Sender::new(0),
        }
    }

    /// AWS has been reached: wakes every listener that waits for its next attempt.
    pub fn announce_success(&self) {
        self.signals.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// This machine's network has changed: attempts that hang are given up as well.
    pub fn announce_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        self.announce_success();
    }

    /// A listener that hears what is announced from now on.
    pub fn listen(&self) -> RecoveryListener {
        RecoveryListener {
            signals: self.signals.subscribe(),
            changes: self.changes.subscribe(),
            random: fastrand::Rng::new(),
        }
    }
}

impl RecoveryListener {
    /// Forgets what was announced so far.
    pub fn mark_heard(&mut self) {
        self.signals.mark_unchanged();
        self.changes.mark_unchanged();
    }

    /// Waits for an announcement that was not heard yet, then for a random part of [`SPREAD`]. Cancel safe: what was announced
    /// is heard again by the next call unless this one returns.
    pub async fn wait_for_signal(&mut self) {
        let mut signals = self.signals.clone();
        if signals.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep(SPREAD.mul_f64(self.random.f64())).await;
        self.signals.mark_unchanged();
    }

    /// Returns when an attempt that began at `started`, and has not ended since, should be given up and begun anew: the network
    /// has changed, and it may hang in one that is no longer there. Cancel safe.
    pub async fn wait_for_restart(&mut self, started: Instant) {
        let mut changes = self.changes.clone();
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let earliest = Instant::now().max(started + YOUNG);
        sleep_until(earliest + SPREAD.mul_f64(self.random.f64())).await;
        self.mark_heard();
    }

    /// Returns when this machine's network has changed since it was last heard of. Cancel safe.
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
    async fn a_wait_that_was_cancelled_is_not_lost_and_one_that_was_marked_is() {
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
    async fn a_young_attempt_is_given_time() {
        let recovery = Recovery::new();
        for age in [0, 1, 2, 3, 10, 60] {
            let mut listener = recovery.listen();
            let started = Instant::now();
            tokio::time::advance(Duration::from_secs(age)).await;
            recovery.announce_change();
            let announced = Instant::now();
            listener.wait_for_restart(started).await;
            assert!(started.elapsed() >= YOUNG, "{age}");
            assert!(announced.elapsed() <= YOUNG + SPREAD, "{age}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_elsewhere_gives_up_no_attempt() {
        let recovery = Recovery::new();
        let mut listener = recovery.listen();
        recovery.announce_success();
        assert!(timeout(LONG, listener.wait_for_restart(Instant::now())).await.is_err());
        timeout(LONG, listener.wait_for_signal()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_network_is_heard_once_and_a_success_is_none() {
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
    async fn without_a_sender_nobody_wakes() {
        let mut listener = Recovery::new().listen();
        assert!(timeout(LONG, listener.wait_for_signal()).await.is_err());
        assert!(timeout(LONG, listener.network_changed()).await.is_err());
    }
}
