//! Order, fairness and that nothing is forgotten, against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The lanes and a database to go with them.
struct Model {
    lanes: Lanes,
    rows: BTreeMap<i64, String>,
    last: i64,
}

impl Model {
    fn new(found: &[&str]) -> Self {
        Self::with(EXACT, found)
    }

    fn with(exact: usize, found: &[&str]) -> Self {
        let mut model = Self {
            lanes: Lanes::with(exact),
            rows: BTreeMap::new(),
            last: 0,
        };
        for topic in found {
            model.last += 1;
            model.rows.insert(model.last, (*topic).to_owned());
            model.lanes.found(topic);
        }
        model
    }

    fn accept(&mut self, topic: &str) {
        self.last += 1;
        self.rows.insert(self.last, topic.to_owned());
        self.lanes.accepted(self.last, topic);
    }

    fn send(&mut self) -> Option<i64> {
        let mut blocked = false;
        loop {
            let id = match self.lanes.next(blocked)? {
                Next::This(id) => id,
                Next::BacklogAfter(position) => {
                    let mut later = self.rows.range(position + 1..).map(|(id, _)| *id);
                    match later.find(|id| !self.lanes.is_express(*id)) {
                        Some(id) if self.lanes.may_follow(id, &self.rows[&id]) => id,
                        Some(_) => {
                            blocked = true;
                            continue;
                        }
                        None => {
                            self.lanes.backlog_is_empty();
                            continue;
                        }
                    }
                }
            };
            self.lanes.sent(id, &self.rows[&id]);
            return Some(id);
        }
    }

    fn acknowledge(&mut self, id: i64) {
        let topic = self.rows.remove(&id).unwrap();
        self.lanes.gone(id, &topic);
    }
}

#[test]
fn a_backlog_does_not_starve_what_is_new() {
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
fn no_new_topic_is_behind_the_backlog_of_others() {
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
    assert!(model.lanes.express.len() <= usize::try_from(EXPRESS_PER_TOPIC).unwrap() + 1);
    let until = (0..200).filter_map(|_| model.send()).position(|id| id == 10_001);
    assert!(
        until.unwrap() <= usize::try_from(EXPRESS_PER_TOPIC).unwrap(),
        "{until:?}"
    );
}

proptest! {
    /// Whatever happens in between, a topic's messages go out in their order, and each goes out.
    #[test]
    fn order_within_a_topic_is_kept_and_nothing_is_forgotten(
        exact in 0..4_usize,
        found in prop::collection::vec(0..4_u8, 0..60),
        steps in prop::collection::vec((0..11_u8, 0..4_u8), 0..300),
    ) {
        let names = ["a", "b", "c", "d"];
        let topics: Vec<&str> = found.iter().map(|topic| names[usize::from(*topic)]).collect();
        let mut model = Model::with(exact, &topics);
        let mut in_flight: Vec<i64> = Vec::new();
        let mut highest: BTreeMap<String, i64> = BTreeMap::new();
        let mut put_off: BTreeMap<i64, String> = BTreeMap::new();
        let mut delivered = 0;
        let total = |model: &Model| model.last;
        for (step, topic) in steps.into_iter().chain(std::iter::repeat_n((9, 0), 2000)) {
            match step {
                0..=2 => model.accept(names[usize::from(topic)]),
                3 => {
                    model.lanes.connection_lost();
                    // What comes again comes in its order from here on.
                    in_flight.clear();
                    highest.clear();
                    put_off.clear();
                }
                10 => if !in_flight.is_empty() {
                    let id = in_flight.remove(usize::from(topic) % in_flight.len());
                    model.lanes.put_off(id);
                    put_off.insert(id, model.rows[&id].clone());
                },
                4..=6 => if let Some(id) = model.send() {
                    let topic = model.rows[&id].clone();
                    let before = put_off.range(..id).find(|(_, stopped)| **stopped == topic);
                    prop_assert!(before.is_none(), "{before:?} was put off, and {id} did not wait");
                    if !put_off.contains_key(&id) {
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
                    put_off.remove(&id);
                    delivered += 1;
                },
            }
        }
        prop_assert_eq!(delivered, total(&model));
        prop_assert!(!model.lanes.any_waiting() && model.rows.is_empty());
    }
}
