//! Compares the schedule with a model: order, fairness, and that no message is forgotten.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A schedule and its rows.
struct Model {
    schedule: Schedule,
    rows: BTreeMap<i64, (Account, String)>,
    last: i64,
}

impl Model {
    fn new(found: &[&str]) -> Self {
        Self::with(MAX_EXACT, found)
    }

    fn with(exact: usize, found: &[&str]) -> Self {
        let mut model = Self {
            schedule: Schedule::with_exact_topics(exact),
            rows: BTreeMap::new(),
            last: 0,
        };
        for topic in found {
            model.last += 1;
            model.rows.insert(model.last, (one(), (*topic).to_owned()));
            model.schedule.add_stored(model.last, &one(), topic);
        }
        model
    }

    fn accept(&mut self, topic: &str) {
        self.accept_of(&one(), topic);
    }

    fn accept_of(&mut self, account: &Account, topic: &str) {
        self.last += 1;
        self.rows.insert(self.last, (account.clone(), topic.to_owned()));
        self.schedule.add_new(self.last, account, topic);
    }

    fn send(&mut self) -> Option<i64> {
        let mut blocked = BTreeSet::new();
        loop {
            let id = match self.schedule.next(&blocked)? {
                Next::This(id) => id,
                Next::BacklogAfter(account, position) => {
                    let later = self.rows.range(position + 1..);
                    let mut later = later.filter(|(_, (owner, _))| *owner == account).map(|(id, _)| *id);
                    match later.find(|id| !self.schedule.is_express(*id)) {
                        Some(id) if self.schedule.may_follow(id, &account, &self.rows[&id].1) => id,
                        Some(_) => {
                            blocked.insert(account);
                            continue;
                        }
                        None => {
                            self.schedule.end_backlog(&account);
                            continue;
                        }
                    }
                }
            };
            let (account, topic) = &self.rows[&id];
            self.schedule.start(id, account, topic);
            return Some(id);
        }
    }

    fn acknowledge(&mut self, id: i64) {
        let (account, topic) = self.rows.remove(&id).unwrap();
        self.schedule.remove(id, &account, &topic);
    }
}

fn one() -> Account {
    Account::of_user(1)
}

#[test]
fn a_backlog_does_not_starve_new_messages() {
    let mut model = Model::new(&["old"; 100]);
    model.accept("new");
    model.accept("old");
    let first: Vec<i64> = (0..4).filter_map(|_| model.send()).collect();
    assert_eq!(
        first,
        [101, 1, 2, 3],
        "the new topic takes its turn, the old one its order"
    );
}

#[test]
fn a_new_topic_does_not_wait_for_the_backlog_of_others() {
    let old: Vec<String> = (0..500).map(|topic| format!("old/{topic}")).collect();
    let mut model = Model::new(&old.iter().map(String::as_str).collect::<Vec<_>>());
    for topic in 0..200 {
        model.accept(&format!("new/{topic}"));
    }
    let sent: Vec<i64> = (0..400).filter_map(|_| model.send()).collect();
    assert_eq!(sent.iter().filter(|id| **id > 500).count(), 200);
}

#[test]
fn one_topic_does_not_fill_the_express_lane() {
    let mut model = Model::new(&[]);
    for _ in 0..10_000 {
        model.accept("flood");
    }
    model.accept("other");
    assert!(model.schedule.express.len() <= usize::try_from(MAX_EXPRESS_PER_TOPIC).unwrap() + 1);
    let until = (0..200).filter_map(|_| model.send()).position(|id| id == 10_001);
    assert!(
        until.unwrap() <= usize::try_from(MAX_EXPRESS_PER_TOPIC).unwrap(),
        "{until:?}"
    );
}

#[test]
fn promise_6_thousands_of_topics_of_one_account_delay_another_by_one_message() {
    let mut model = Model::new(&[]);
    for topic in 0..4000 {
        model.accept(&format!("flood/{topic}"));
    }
    let other = Account::of_user(2);
    for _ in 0..3 {
        model.accept_of(&other, "other");
    }
    let sent: Vec<i64> = (0..6).filter_map(|_| model.send()).collect();
    let of_other = sent.iter().filter(|id| **id > 4000).count();
    assert_eq!(of_other, 3, "{sent:?}");
}

#[test]
fn two_accounts_on_one_topic_do_not_wait_for_each_other() {
    let mut model = Model::new(&[]);
    let other = Account::of_user(2);
    for _ in 0..100 {
        model.accept("shared");
    }
    model.accept_of(&other, "shared");
    model.accept_of(&other, "shared");
    let sent: Vec<i64> = (0..4).filter_map(|_| model.send()).collect();
    assert_eq!(sent, [1, 101, 2, 102]);
    // A deferred message blocks its account's messages on the topic, and no other account's.
    model.schedule.defer(1);
    assert_eq!(model.send(), Some(1));
    model.schedule.defer(1);
    model.accept_of(&other, "shared");
    assert_eq!(model.send(), Some(1));
    assert_eq!(model.send(), Some(103));
    assert_eq!(model.send(), None);
}

#[test]
fn an_account_without_messages_is_forgotten() {
    let mut model = Model::new(&["old"; 3]);
    for number in 0..50 {
        model.accept_of(&Account::of_user(number), "t");
    }
    while let Some(id) = model.send() {
        model.acknowledge(id);
    }
    assert!(model.schedule.queues.is_empty() && model.schedule.turns.is_empty());
    // One is deleted while it waits, the other is missing in the database.
    model.accept("a");
    let id = model.last;
    model.acknowledge(id);
    model.accept("b");
    model.rows.clear();
    model.schedule.forget_missing(model.last);
    assert!(!model.schedule.any_waiting() && model.schedule.turns.is_empty());
}

proptest! {
    /// Whatever the other accounts queue, an account's next message is sent within n turns if there are n accounts.
    #[test]
    fn promise_6_no_account_waits_longer_than_a_turn_of_each(
        exact in 0..64_usize,
        found in prop::collection::vec((0..5_u32, 0..6_u8), 0..40),
        steps in prop::collection::vec((0..8_u8, 0..5_u32, 0..6_u8), 0..400),
    ) {
        let mut model = Model::with(exact, &[]);
        for (account, topic) in found {
            let (account, topic) = (Account::of_user(account), format!("t/{topic}"));
            model.last += 1;
            model.schedule.add_stored(model.last, &account, &topic);
            model.rows.insert(model.last, (account, topic));
        }
        let mut in_flight: Vec<i64> = Vec::new();
        // Messages of others that were sent since the account had its turn or began to wait.
        let mut waited: BTreeMap<Account, usize> = BTreeMap::new();
        for (step, account, topic) in steps {
            match step {
                0..=3 => model.accept_of(&Account::of_user(account), &format!("t/{topic}")),
                7 => if !in_flight.is_empty() {
                    let id = in_flight.remove(0);
                    model.acknowledge(id);
                },
                _ => if let Some(id) = model.send() {
                    let sender = model.rows[&id].0.clone();
                    waited.remove(&sender);
                    in_flight.push(id);
                    let is_waiting = |account: &Account| {
                        let mut rows = model.rows.iter().filter(|(_, (owner, _))| owner == account);
                        rows.any(|(id, _)| !in_flight.contains(id))
                    };
                    for account in (0..5).map(Account::of_user) {
                        if account != sender && is_waiting(&account) {
                            let turns = waited.entry(account.clone()).or_default();
                            *turns += 1;
                            prop_assert!(*turns < 5, "{account:?} has waited for {turns} others");
                        }
                    }
                },
            }
        }
    }

    /// Whatever happens in between, all messages are sent, and those of a topic in order.
    #[test]
    fn the_order_within_a_topic_is_kept_and_no_message_is_forgotten(
        exact in 0..4_usize,
        found in prop::collection::vec(0..4_u8, 0..60),
        steps in prop::collection::vec((0..11_u8, 0..4_u8), 0..300),
    ) {
        let names = ["a", "b", "c", "d"];
        let topics: Vec<&str> = found.iter().map(|topic| names[usize::from(*topic)]).collect();
        let mut model = Model::with(exact, &topics);
        let mut in_flight: Vec<i64> = Vec::new();
        let mut highest: BTreeMap<String, i64> = BTreeMap::new();
        let mut deferred: BTreeMap<i64, String> = BTreeMap::new();
        let mut delivered = 0;
        let total = |model: &Model| model.last;
        for (step, topic) in steps.into_iter().chain(std::iter::repeat_n((9, 0), 2000)) {
            match step {
                0..=2 => model.accept(names[usize::from(topic)]),
                3 => {
                    model.schedule.connection_lost();
                    // Retransmitted messages start a new order.
                    in_flight.clear();
                    highest.clear();
                    deferred.clear();
                }
                10 => if !in_flight.is_empty() {
                    let id = in_flight.remove(usize::from(topic) % in_flight.len());
                    model.schedule.defer(id);
                    deferred.insert(id, model.rows[&id].1.clone());
                },
                4..=6 => if let Some(id) = model.send() {
                    let topic = model.rows[&id].1.clone();
                    let before = deferred.range(..id).find(|(_, stopped)| **stopped == topic);
                    prop_assert!(before.is_none(), "{before:?} was deferred, and {id} did not wait");
                    if !deferred.contains_key(&id) {
                        let last = highest.insert(topic, id);
                        prop_assert!(last.is_none_or(|last| last < id), "{last:?} before {id}");
                    }
                    in_flight.push(id);
                },
                _ => if in_flight.is_empty() {
                    if let Some(id) = model.send() { in_flight.push(id); }
                } else {
                    let id = in_flight.remove(0);
                    model.acknowledge(id);
                    deferred.remove(&id);
                    delivered += 1;
                },
            }
        }
        prop_assert_eq!(delivered, total(&model));
        prop_assert!(!model.schedule.any_waiting() && model.rows.is_empty());
    }
}
