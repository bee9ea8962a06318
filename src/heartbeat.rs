//! Heartbeat of a thread: the watchdog requests one, and the thread itself must answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The heartbeat of one thread. Clones share their state.
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<State>);

#[derive(Debug)]
struct State {
    created: Instant,
    requests: AtomicU64,
    /// The number of requests when the thread last answered.
    answered: AtomicU64,
    /// Milliseconds since `created`.
    excused_until: AtomicU64,
    request: Notify,
}

impl Heartbeat {
    /// Creates the heartbeat of a thread, without a request.
    pub fn new() -> Self {
        Self(Arc::new(State {
            created: Instant::now(),
            requests: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            excused_until: AtomicU64::new(0),
            request: Notify::new(),
        }))
    }

    /// Requests a heartbeat.
    pub fn ask(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.request.notify_one();
    }

    /// Answers all requests. To be called by the thread.
    pub fn beat(&self) {
        self.0
            .answered
            .store(self.0.requests.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Answers each request, as long as the runtime of the thread makes progress.
    pub async fn keep_beating(&self) {
        loop {
            self.0.request.notified().await;
            self.beat();
        }
    }

    /// Runs `work`, which may legitimately block the thread for up to `time_limit`. Its end counts as a heartbeat.
    pub fn excused<T>(&self, time_limit: Duration, work: impl FnOnce() -> T) -> T {
        let outer = self.0.excused_until.load(Ordering::Relaxed);
        let until = self.0.created.elapsed() + time_limit;
        self.0
            .excused_until
            .store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let outcome = work();
        self.beat();
        self.0.excused_until.store(outer, Ordering::Relaxed);
        outcome
    }

    /// Returns whether the last request was answered.
    pub fn has_answered(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed) == self.0.requests.load(Ordering::Relaxed)
    }

    /// Returns whether the thread has answered, or is excused.
    pub fn is_alive(&self) -> bool {
        let now = u64::try_from(self.0.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.has_answered() || now < self.0.excused_until.load(Ordering::Relaxed)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_thread_is_alive_only_while_it_is_excused() {
        let heartbeat = Heartbeat::new();
        assert!(heartbeat.is_alive(), "there was no request");
        heartbeat.ask();
        assert!(!heartbeat.is_alive());
        heartbeat.excused(Duration::from_secs(3600), || {
            assert!(heartbeat.is_alive());
            heartbeat.excused(Duration::ZERO, || assert!(!heartbeat.is_alive(), "the time is over"));
            assert!(heartbeat.is_alive());
        });
        assert!(heartbeat.is_alive(), "the work has ended");
        heartbeat.ask();
        assert!(!heartbeat.is_alive());
        heartbeat.beat();
        assert!(heartbeat.is_alive());
    }

    #[tokio::test]
    async fn a_runtime_answers_by_itself() {
        let heartbeat = Heartbeat::new();
        heartbeat.ask();
        let answer = tokio::time::timeout(Duration::from_secs(60), async {
            while !heartbeat.has_answered() {
                tokio::task::yield_now().await;
            }
        });
        tokio::select! {
            () = heartbeat.keep_beating() => unreachable!(),
            answered = answer => answered.unwrap(),
        }
    }
}
