//! Compares the outbox with a model: whatever is done in whatever order, and however often it is reopened, accepted messages come out in
//! the order of their topic until their outcome is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::thread::job::Durability;
use super::thread::serve::MAX_DEFERRED;
use super::{Account, Bounds, Handles, Message, Outbox, Outgoing, Selection, spawn};
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::status::{MessagesDetails, MessagesPhase, Part, StatusHub};

const TOPICS: [&str; 3] = ["a", "b", "c"];
/// 2030-01-01, which is later than the build date.
const NOW: u64 = 1_893_456_000;
/// Limits that include everything.
const ALL: (usize, u64) = (usize::MAX, u64::MAX);

/// An outbox in a separate folder.
struct Opened {
    runtime: Runtime,
    folder: TempDir,
    status: watch::Receiver<Part<MessagesPhase, MessagesDetails>>,
    handles: Handles,
}

impl Opened {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(folder: TempDir) -> Self {
        let clock: SharedClock = ManualClock::at(NOW);
        let reporter =
            StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        let status = reporter.watch();
        let handles = spawn(folder.path(), Bounds::default(), clock, reporter).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self {
            runtime,
            folder,
            status,
            handles,
        }
    }

    /// Ends it as the daemon does, and reopens it.
    fn reopened(self) -> Self {
        let Self {
            folder, mut handles, ..
        } = self;
        let ended = std::mem::replace(&mut handles.ended, std::sync::mpsc::channel().1);
        // The thread ends with the last handle.
        drop(handles);
        let _ = ended.recv();
        Self::at(folder)
    }

    /// Reopens it in its present state, as after kill -9.
    fn killed(self) -> Self {
        // Accepted jobs have been completed.
        self.list();
        let folder = tempfile::tempdir().unwrap();
        for name in ["messages.db", "messages.db-wal"] {
            fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        Self::at(folder)
    }

    fn outbox(&self) -> &Outbox {
        &self.handles.outbox
    }

    /// Accepts messages that arrive together.
    fn accept(&self, messages: Vec<Message>) {
        let mut all = JoinSet::new();
        let _entered = self.runtime.enter();
        for message in messages {
            let outbox = self.outbox().clone();
            all.spawn_on(
                async move { outbox.accept(message, Account::default()).await.unwrap() },
                self.runtime.handle(),
            );
        }
        self.runtime.block_on(all.join_all());
    }

    fn take(&self, most: usize) -> Vec<Outgoing> {
        self.runtime.block_on(async {
            let taken = self.outbox().take(most, ALL.1).await.unwrap();
            taken.await.unwrap().unwrap()
        })
    }

    fn acknowledge(&self, outgoing: &Outgoing) {
        self.runtime
            .block_on(self.outbox().acknowledge(outgoing.message_ref.clone()));
    }

    fn list(&self) -> usize {
        self.runtime.block_on(self.outbox().list(0, false)).unwrap().len()
    }

    /// Returns the number of messages that are acknowledged but not deleted yet.
    fn deferred_deletes(&self) -> usize {
        let store = self.handles.inbox.store();
        let look = store.run(Durability::ReadOnly, |database| Ok(database.deferred_deletes()));
        self.runtime.block_on(look).unwrap()
    }
}

/// A model of the outbox.
#[derive(Debug, Default)]
struct Model {
    /// Accepted messages in the order of acceptance: topic and payload.
    waiting: BTreeMap<u64, (usize, String)>,
    in_flight: BTreeSet<u64>,
    /// Parked messages by number, which is the order in which they are retried.
    parked: BTreeMap<i64, (usize, String)>,
    /// Messages that were acknowledged when the outbox was killed, and may be sent again.
    may_come_again: BTreeMap<String, usize>,
    acknowledged: BTreeMap<String, usize>,
    order: u64,
    payloads: u64,
}

impl Model {
    fn accept(&mut self, topic: usize) -> Message {
        self.payloads += 1;
        let payload = self.payloads.to_string();
        self.put(topic, payload.clone());
        Message {
            topic: TOPICS[topic].to_owned(),
            payload: payload.into(),
            ..Message::default()
        }
    }

    fn put(&mut self, topic: usize, payload: String) {
        self.order += 1;
        self.waiting.insert(self.order, (topic, payload));
    }

    fn order_of(&self, outgoing: &Outgoing) -> Option<u64> {
        let payload = text(outgoing);
        let mut all = self.waiting.iter();
        all.find(|(_, (_, known))| *known == payload).map(|(order, _)| *order)
    }

    /// Records that a message is sent, and checks that it is due.
    fn sent(&mut self, outgoing: &Outgoing) -> Result<(), String> {
        let Some(order) = self.order_of(outgoing) else {
            let known = self.may_come_again.contains_key(&text(outgoing));
            return known.then_some(()).ok_or_else(|| format!("{outgoing:?} is done with"));
        };
        let (topic, _) = self.waiting[&order];
        let of_topic = self.waiting.iter().filter(|(_, (other, _))| *other == topic);
        let mut not_sent = of_topic
            .map(|(order, _)| *order)
            .filter(|order| !self.in_flight.contains(order));
        match not_sent.next() {
            Some(first) if first == order => {}
            other => return Err(format!("{outgoing:?}, and not {other:?}")),
        }
        self.in_flight.insert(order);
        Ok(())
    }

    /// Records that a message is gone; returns it, unless that was recorded before.
    fn gone(&mut self, outgoing: &Outgoing) -> Option<(usize, String)> {
        match self.order_of(outgoing) {
            Some(order) => {
                self.in_flight.remove(&order);
                self.waiting.remove(&order)
            }
            None => {
                let payload = text(outgoing);
                self.may_come_again.remove(&payload).map(|topic| (topic, payload))
            }
        }
    }
}

fn text(outgoing: &Outgoing) -> String {
    String::from_utf8(outgoing.message.payload.to_vec()).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Accept(Vec<usize>),
    Take(usize),
    Acknowledge(usize),
    Park(usize),
    Again(usize),
    ConnectionLost,
    PurgeOne(usize),
    PurgeQueued,
    RetryParked,
    Reopen,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0..100_usize;
    prop_oneof![
        6 => prop::collection::vec(0..TOPICS.len(), 1..6).prop_map(Step::Accept),
        8 => (1..8_usize).prop_map(Step::Take),
        8 => index.clone().prop_map(Step::Acknowledge),
        1 => index.clone().prop_map(Step::Park),
        2 => index.clone().prop_map(Step::Again),
        2 => Just(Step::ConnectionLost),
        1 => index.prop_map(Step::PurgeOne),
        1 => prop::bool::weighted(0.2).prop_map(|all| if all { Step::PurgeQueued } else { Step::ConnectionLost }),
        1 => Just(Step::RetryParked),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
    ]
}

/// The outbox, its model, and the messages that the session has.
struct Both {
    opened: Opened,
    model: Model,
    session: Vec<Outgoing>,
}

impl Both {
    fn take(&mut self, most: usize) -> Result<(), TestCaseError> {
        let taken = self.opened.take(most);
        for outgoing in &taken {
            self.model.sent(outgoing).map_err(TestCaseError::fail)?;
        }
        self.session.extend(taken);
        Ok(())
    }

    /// Returns one of the messages that the session has; it may have been purged meanwhile.
    fn pick(&mut self, index: usize) -> Option<Outgoing> {
        let index = index.checked_rem(self.session.len())?;
        Some(self.session.remove(index))
    }

    fn acknowledge(&mut self, index: usize) {
        if let Some(outgoing) = self.pick(index) {
            self.opened.acknowledge(&outgoing);
            let gone = self.model.gone(&outgoing);
            self.model
                .acknowledged
                .extend(gone.map(|(topic, payload)| (payload, topic)));
        }
    }

    fn do_one(mut self, step: &Step) -> Result<Self, TestCaseError> {
        match step {
            Step::Accept(topics) => {
                let messages = topics.iter().map(|topic| self.model.accept(*topic)).collect();
                self.opened.accept(messages);
            }
            Step::Take(most) => self.take(*most)?,
            Step::Acknowledge(index) => self.acknowledge(*index),
            Step::Park(index) => {
                if let Some(outgoing) = self.pick(*index) {
                    let parked = self.model.gone(&outgoing);
                    self.model
                        .parked
                        .extend(parked.map(|parked| (outgoing.message_ref.id, parked)));
                    let park = self.opened.outbox().park(outgoing.message_ref, "why".to_owned());
                    self.opened.runtime.block_on(park);
                }
            }
            Step::Again(index) => {
                if let Some(outgoing) = self.pick(*index) {
                    if let Some(order) = self.model.order_of(&outgoing) {
                        self.model.in_flight.remove(&order);
                    }
                    self.opened
                        .runtime
                        .block_on(self.opened.outbox().retransmit(outgoing.message_ref));
                }
            }
            Step::ConnectionLost => {
                self.opened.runtime.block_on(self.opened.outbox().connection_lost());
                self.forget_session();
            }
            Step::PurgeOne(index) => {
                if let Some(index) = index.checked_rem(self.session.len()) {
                    let outgoing = self.session[index].clone();
                    let purge = self.opened.outbox().purge(Selection::One(outgoing.message_ref.id));
                    self.opened.runtime.block_on(purge).unwrap();
                    self.model.gone(&outgoing);
                }
            }
            Step::PurgeQueued => {
                self.opened
                    .runtime
                    .block_on(self.opened.outbox().purge(Selection::Queued))
                    .unwrap();
                self.model.waiting.clear();
                self.model.in_flight.clear();
                self.model.may_come_again.clear();
            }
            Step::RetryParked => {
                self.opened
                    .runtime
                    .block_on(self.opened.outbox().retry(Selection::Parked))
                    .unwrap();
                for (topic, payload) in std::mem::take(&mut self.model.parked).into_values() {
                    self.model.put(topic, payload);
                }
            }
            Step::Reopen => {
                self.opened = self.opened.reopened();
                self.forget_session();
                self.model.acknowledged.clear();
            }
            Step::Kill => {
                self.opened = self.opened.killed();
                self.forget_session();
                let again = std::mem::take(&mut self.model.acknowledged);
                self.model.may_come_again.extend(again);
            }
        }
        Ok(self)
    }

    fn forget_session(&mut self) {
        self.session.clear();
        self.model.in_flight.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn promise_5_the_outbox_behaves_as_its_model(steps in prop::collection::vec(step(), 1..120)) {
        let mut both = Both { opened: Opened::new(), model: Model::default(), session: Vec::new() };
        for step in &steps {
            both = both.do_one(step)?;
        }
        // All remaining messages are sent, and then there are none.
        both.opened.runtime.block_on(both.opened.outbox().connection_lost());
        both.forget_session();
        loop {
            both.take(ALL.0)?;
            if both.session.is_empty() {
                break;
            }
            while !both.session.is_empty() {
                both.acknowledge(0);
            }
        }
        prop_assert!(both.model.waiting.is_empty(), "{:?} never came", both.model.waiting);
        prop_assert_eq!(both.opened.list(), 0);
        let parked = u64::try_from(both.model.parked.len()).unwrap();
        let details = both.opened.status.borrow().details.clone();
        prop_assert_eq!((details.queued, details.queued_bytes, details.parked), (0, 0, parked));
        both.opened = both.opened.reopened();
        prop_assert_eq!(both.opened.list(), 0);
    }
}

#[test]
fn acknowledged_messages_are_deleted_though_nobody_else_writes() {
    let opened = Opened::new();
    let mut model = Model::default();
    opened.accept((0..2 * MAX_DEFERRED).map(|_| model.accept(0)).collect());
    for _ in 0..2 * MAX_DEFERRED - 10 {
        let [outgoing] = &opened.take(1)[..] else {
            panic!("none is there")
        };
        opened.acknowledge(outgoing);
        assert!(
            opened.deferred_deletes() <= MAX_DEFERRED,
            "no more than so many may be sent again after a kill"
        );
    }
    // The rest is deleted after a while, however often somebody reads meanwhile.
    let soon = Instant::now() + Duration::from_secs(60);
    while opened.deferred_deletes() > 0 {
        assert!(Instant::now() < soon, "they are never deleted");
    }
}

#[test]
fn numbers_are_never_reused() {
    let mut opened = Opened::new();
    let mut model = Model::default();
    let mut numbers = Vec::new();
    for round in 0..4 {
        opened.accept((0..3).map(|_| model.accept(0)).collect());
        let taken = opened.take(3);
        numbers.extend(taken.iter().map(|outgoing| outgoing.message_ref.id));
        match round {
            // Nothing was written since, so the deletion happens at the end.
            0 => taken.iter().for_each(|outgoing| opened.acknowledge(outgoing)),
            1 => drop(opened.runtime.block_on(opened.outbox().purge(Selection::Queued))),
            _ => {
                let park = |outgoing: &Outgoing| opened.outbox().park(outgoing.message_ref.clone(), "why".to_owned());
                taken
                    .iter()
                    .for_each(|outgoing| opened.runtime.block_on(park(outgoing)));
                drop(opened.runtime.block_on(opened.outbox().purge(Selection::Parked)));
            }
        }
        opened = if round == 2 { opened.killed() } else { opened.reopened() };
    }
    assert_eq!(numbers, (1..=12).collect::<Vec<i64>>());
}
