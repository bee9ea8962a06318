//! The messages that have arrived at AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use cloudlet::Event;

use super::programs::{Record, number_of};
use super::topic::topic_prefix;

/// The numbers on each topic in the order of arrival, and the kinds of sessions that the gateway had.
#[derive(Clone, Default)]
pub struct Arrivals(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    numbers: BTreeMap<String, Vec<u32>>,
    sessions: Sessions,
}

/// The number of connections with an existing session, and with a new one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sessions {
    pub resumed: usize,
    pub new: usize,
}

/// The outcome for all messages.
#[derive(Debug, Default)]
pub struct Account {
    /// Accepted and arrived.
    pub arrived: usize,
    /// Accepted, but not arrived: topic and number.
    pub lost: Vec<(String, u32)>,
    /// Arrived more than once.
    pub duplicates: usize,
    /// Arrived for the first time after a later message of the same topic.
    pub out_of_order: Vec<(String, u32)>,
    /// Refused, but arrived nevertheless.
    pub refused_and_arrived: Vec<(String, u32)>,
}

impl Arrivals {
    /// Returns an observer of the cloud's events that records arrivals.
    pub fn observer(&self) -> cloudlet::Observer {
        let known = self.0.clone();
        let prefix = topic_prefix();
        Arc::new(move |event| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Event::Acknowledged { topic, payload, .. } if topic.starts_with(&prefix) => {
                    let number = number_of(payload);
                    known.numbers.entry(topic.clone()).or_default().push(number);
                }
                Event::Connected { session_present, .. } => match session_present {
                    true => known.sessions.resumed += 1,
                    false => known.sessions.new += 1,
                },
                _ => {}
            }
        })
    }

    /// Returns the numbers of resumed and new sessions.
    pub fn sessions(&self) -> Sessions {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sessions
    }

    /// Returns the number of messages that have arrived.
    pub fn count(&self) -> usize {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.numbers.values().map(Vec::len).sum()
    }

    /// Compares the arrivals with the responses that programs got.
    pub fn account_for(&self, records: &[Record]) -> Account {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut account = Account::default();
        let mut seen: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for (topic, numbers) in &known.numbers {
            let seen = seen.entry(topic).or_default();
            for number in numbers {
                let last = seen.last().copied();
                if !seen.insert(*number) {
                    account.duplicates += 1;
                } else if last.is_some_and(|last| last > *number) {
                    account.out_of_order.push((topic.clone(), *number));
                }
            }
        }
        let has_arrived = |topic: &str, number: &u32| seen.get(topic).is_some_and(|seen| seen.contains(number));
        for Record {
            topic,
            accepted,
            refused,
            ..
        } in records
        {
            for number in accepted {
                match has_arrived(topic, number) {
                    true => account.arrived += 1,
                    false => account.lost.push((topic.clone(), *number)),
                }
            }
            let against_its_word = refused.iter().filter(|number| has_arrived(topic, number));
            account
                .refused_and_arrived
                .extend(against_its_word.map(|number| (topic.clone(), *number)));
        }
        account
    }
}
