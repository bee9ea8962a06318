//! A thread's signs of life: whoever wants to know asks, and the thread itself must answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// One thread's. Clones are the same pulse.
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<State>);

#[derive(Debug)]
struct State {
    begun: Instant,
    asked: AtomicU64,
    answered: AtomicU64,
    /// Milliseconds since `begun`.
    excused_until: AtomicU64,
    question: Notify,
}

impl Heartbeat {
    /// Of a thread that was not asked yet.
    pub fn new() -> Self {
        Self(Arc::new(State {
            begun: Instant::now(),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            excused_until: AtomicU64::new(0),
            question: Notify::new(),
        }))
    }

    /// Asks for a sign of life.
    pub fn ask(&self) {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        self.0.question.notify_one();
    }

    /// The thread's answer: it is not stuck.
    pub fn beat(&self) {
        self.0
            .answered
            .store(self.0.asked.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Answers for as long as the thread's runtime gets to run this.
    pub async fn keep_beating(&self) {
        loop {
            self.0.question.notified().await;
            self.beat();
        }
    }

    /// Does something that may rightly keep the thread from answering for so long, and no longer. Its end is a sign of life,
    /// whatever the thread is at next.
    pub fn excused<T>(&self, patience: Duration, work: impl FnOnce() -> T) -> T {
        let outer = self.0.excused_until.load(Ordering::Relaxed);
        let until = self.0.begun.elapsed() + patience;
        self.0
            .excused_until
            .store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let outcome = work();
        self.beat();
        self.0.excused_until.store(outer, Ordering::Relaxed);
        outcome
    }

    /// Whether the last question was answered.
    pub fn has_answered(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed) == self.0.asked.load(Ordering::Relaxed)
    }

    /// Whether the thread has answered, or is excused.
    pub fn is_alive(&self) -> bool {
        let now = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
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
    fn silence_is_alive_only_while_it_is_excused() {
        let heartbeat = Heartbeat::new();
        assert!(heartbeat.is_alive(), "nobody has asked");
        heartbeat.ask();
        assert!(!heartbeat.is_alive());
        heartbeat.excused(Duration::from_secs(3600), || {
            assert!(heartbeat.is_alive());
            heartbeat.excused(Duration::ZERO, || {
                assert!(!heartbeat.is_alive(), "the excuse has run out")
            });
            assert!(heartbeat.is_alive());
        });
        assert!(heartbeat.is_alive(), "it has come back");
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
