//! Messages for durable subscriptions that the disk does not take: they are held, unacknowledged, and so AWS keeps them.
//!
//! AWS sends at most 100 unacknowledged messages of all subscriptions together and keeps one for an hour at the most, and
//! acknowledgements go out in the order of the messages (MQTT 5.0, 4.6). So what is held here stops the messages for all other
//! programs in the end. When it has done so for a while, the oldest are given up to let the others pass, and that is said.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::file::StoreError;
use super::inbox::Inbox;
use super::message::Received;
use super::store::Durability;
use super::streams::AckGuard;
use crate::event::{Event, journal};
use crate::problem::Problem;

/// Between two looks whether others are stopped by what is held.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two tries.
const LOOKS: u32 = 5;
/// How long the disk may be unusable before others no longer wait for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Given up at one look: AWS sends a persistent session what it has queued no faster than that.
const AT_ONCE: usize = 10;

/// A message that is to be kept.
#[derive(Clone, Debug)]
pub(super) struct One {
    turn: u64,
    pub(super) message: Arc<Received>,
    /// The durable subscriptions that want it, once they are known.
    pub(super) names: Option<Arc<Vec<String>>>,
    taken: AckGuard,
}

/// What is held, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Held {
    all: RefCell<VecDeque<One>>,
    turns: Cell<u64>,
    /// Since when the disk has taken nothing.
    since: Cell<Option<Instant>>,
    /// Lost, and not yet counted where it is shown.
    lost: Cell<u64>,
    moved: Notify,
}

impl Held {
    /// A message that has just come.
    pub(super) fn one(&self, message: Arc<Received>, names: Option<Arc<Vec<String>>>, taken: AckGuard) -> One {
        self.turns.set(self.turns.get() + 1);
        One {
            turn: self.turns.get(),
            message,
            names,
            taken,
        }
    }

    /// Whether it has to wait for others that came before it. What nobody acknowledges does not wait.
    pub(super) fn is_behind_others(&self, one: &One) -> bool {
        one.taken.is_awaited() && !self.all.borrow().is_empty()
    }

    /// Holds it. At quality of service 0 there is nothing to hold it by.
    pub(super) fn hold(&self, one: One) {
        if !one.taken.is_awaited() {
            return;
        }
        let mut all = self.all.borrow_mut();
        let place = all.partition_point(|other| other.turn < one.turn);
        all.insert(place, one);
        self.since.set(self.since.get().or(Some(Instant::now())));
        self.moved.notify_one();
    }

    /// The durable subscriptions are known now: whose each message is that came before.
    pub(super) fn are_for(&self, names: impl Fn(&Received) -> Vec<String>) {
        for one in &mut *self.all.borrow_mut() {
            let names = || Arc::new(names(&one.message));
            one.names.get_or_insert_with(names);
        }
        self.moved.notify_one();
    }

    /// The one whose turn it is. Those of connections that are gone will come again.
    fn first(&self) -> Option<One> {
        let mut all = self.all.borrow_mut();
        all.retain(|one| !one.taken.is_in_vain());
        all.front().cloned()
    }

    fn done_with(&self, turn: u64) {
        self.all.borrow_mut().retain(|one| one.turn != turn);
    }

    /// The oldest, if others have been stopped by them for long enough.
    fn given_up(&self) -> Vec<One> {
        let mut all = self.all.borrow_mut();
        let long = self.since.get().is_some_and(|since| since.elapsed() >= PATIENCE);
        let crowded = all.front().is_some_and(|one| one.taken.is_in_the_way());
        let how_many = if long && crowded { AT_ONCE.min(all.len()) } else { 0 };
        all.drain(..how_many).collect()
    }
}

impl Inbox {
    /// The disk did not take it.
    pub(super) async fn was_not_kept(&self, one: One, why: &StoreError) {
        match one.taken.is_awaited() {
            true => self.held.hold(one),
            false => {
                self.lose(&one, &why.problem);
                self.count_lost().await;
            }
        }
    }

    /// Keeps what is held as soon as the disk takes it.
    pub(super) async fn keep_what_is_held(self: Rc<Self>) {
        loop {
            let Some(one) = self.held.first() else {
                self.held.since.set(None);
                self.count_lost().await;
                self.held.moved.notified().await;
                continue;
            };
            match self.keep(&one).await {
                Ok(()) => {
                    self.held.since.set(Some(Instant::now()));
                    self.held.done_with(one.turn);
                    self.count_lost().await;
                }
                Err(problem) => {
                    // What it is given up by must not be kept alive here.
                    drop(one);
                    self.wait_for_disk(&problem).await;
                }
            }
        }
    }

    async fn keep(&self, one: &One) -> Result<(), Problem> {
        let Some(names) = one.names.clone() else {
            return Err(Problem::wait("which durable subscriptions there are cannot be read"));
        };
        let message = one.message.clone();
        let keep = self
            .store
            .run(Durability::Adds, move |database| database.deliver(&names, &message));
        keep.await.map_err(|why| why.problem)
    }

    /// Until the next try; meanwhile those that stop others for too long are given up.
    async fn wait_for_disk(&self, problem: &Problem) {
        for _ in 0..LOOKS {
            if timeout(LOOK, self.known_now()).await.is_ok() {
                return;
            }
            for one in self.held.given_up() {
                self.lose(&one, problem);
            }
            self.count_lost().await;
        }
    }

    /// Returns when it becomes known which durable subscriptions there are.
    async fn known_now(&self) {
        let unknown = !self.known.get();
        loop {
            self.held.moved.notified().await;
            if unknown && self.known.get() {
                return;
            }
        }
    }

    fn lose(&self, one: &One, problem: &Problem) {
        let topic = one.message.topic.as_str();
        journal!(
            Level::Error, Event::InboxLost, TOPIC = topic;
            "inbox: a message on {topic} was not kept for the durable subscriptions: {problem}"
        );
        let subscriptions = one.names.as_ref().map_or(1, |names| names.len());
        let lost = u64::try_from(subscriptions).unwrap_or(u64::MAX);
        self.held.lost.set(self.held.lost.get().saturating_add(lost));
    }

    /// Counts what was lost where the status shows it, which a database that cannot be opened does not let us.
    async fn count_lost(&self) {
        let lost = self.held.lost.take();
        if lost == 0 {
            return;
        }
        let count = self.store.run(Durability::Reads, move |database| {
            database.context.counts.inbox_dropped += lost;
            Ok(())
        });
        if count.await.is_err() {
            self.held.lost.set(self.held.lost.get().saturating_add(lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rusqlite::Connection;
    use tokio::sync::mpsc;
    use tokio::task::{LocalSet, spawn_local};
    use tokio::time::sleep;

    use super::*;
    use crate::clock::SharedClock;
    use crate::clock::manual::ManualClock;
    use crate::messages::{Bounds, SessionEvent, file, spawn};
    use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

    fn message() -> Received {
        Received {
            topic: "t".into(),
            qos: crate::qos::Qos::AtLeastOnce,
            ..Received::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_what_the_disk_does_not_take_stops_others_for_a_minute_and_is_lost_aloud() {
        let folder = tempfile::tempdir().unwrap();
        let set_version = |version: i64| {
            let database = Connection::open(file::path(folder.path())).unwrap();
            database.pragma_update(None, "user_version", version).unwrap();
        };
        set_version(99);
        let clock: SharedClock = ManualClock::at(1_893_456_000);
        let reporter =
            StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        let mut status = reporter.watch();
        let handles = spawn(folder.path(), Bounds::default(), clock, reporter).unwrap();
        let (back, mut acknowledged) = mpsc::unbounded_channel();
        let crowded = Arc::new(AtomicBool::new(false));
        let test = async {
            spawn_local(handles.inbox.clone().run(handles.arrivals));
            for packet_id in 1..=30 {
                let taken = AckGuard::new(packet_id, back.clone(), crowded.clone());
                handles
                    .arrive
                    .send(SessionEvent::Message(message(), taken))
                    .await
                    .unwrap();
            }
            // As long as nobody else waits, these can.
            sleep(10 * PATIENCE).await;
            assert_eq!(acknowledged.try_recv().ok(), None);
            crowded.store(true, Ordering::Relaxed);
            for packet_id in 1..=10 {
                assert_eq!(acknowledged.recv().await, Some(packet_id));
            }
            crowded.store(false, Ordering::Relaxed);
            sleep(10 * PATIENCE).await;
            assert_eq!(acknowledged.try_recv().ok(), None);
            // AWS sends the others again on the next connection.
            drop(acknowledged);
            set_version(0);
            status.wait_for(|part| part.details.inbox_dropped == 10).await.unwrap();
            assert!(handles.inbox.held.first().is_none());
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn what_is_held_keeps_its_order() {
        let held = Held::default();
        let (back, _acknowledged) = mpsc::unbounded_channel();
        let one = |packet_id| {
            let taken = AckGuard::new(packet_id, back.clone(), Arc::default());
            held.one(Arc::new(message()), None, taken)
        };
        let [first, second, third] = [1, 2, 3].map(one);
        let turns = [first.turn, second.turn, third.turn];
        assert!(!held.is_behind_others(&first));
        // What was on its way to the disk comes back after what did not even try.
        held.hold(third);
        held.hold(first);
        held.hold(second);
        assert!(held.is_behind_others(&one(4)));
        let order: Vec<u64> = held.all.borrow().iter().map(|one| one.turn).collect();
        assert_eq!(order, turns);
    }
}
