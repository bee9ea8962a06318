//! The messages that have arrived at AWS, and those that AWS was told have arrived at the gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloudlet::Event;

use super::programs::{Record, number_of};
use super::receivers::Numbers;
use super::topic::{command_prefix, sensor_prefix, topic_prefix};

/// The numbers on each topic in the order of arrival, and the kinds of sessions that the gateway had.
#[derive(Clone, Default)]
pub struct Arrivals(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Acknowledged by the broker.
    numbers: Numbers,
    /// Acknowledged by the gateway.
    delivered: Numbers,
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
        let arrivals = self.clone();
        let (data, sensors, commands) = (topic_prefix(), sensor_prefix(), command_prefix());
        Arc::new(move |event| {
            let mut known = arrivals.known();
            match event {
                Event::Acknowledged { topic, payload, .. }
                    if topic.starts_with(&data) || topic.starts_with(&sensors) =>
                {
                    known.numbers.entry(topic.clone()).or_default().push(number_of(payload));
                }
                Event::Delivered { topic, payload, .. } if topic.starts_with(&commands) => {
                    known
                        .delivered
                        .entry(topic.clone())
                        .or_default()
                        .push(number_of(payload));
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
        self.known().sessions
    }

    /// Returns the number of messages that have arrived.
    pub fn count(&self) -> usize {
        self.known().numbers.values().map(Vec::len).sum()
    }

    /// The number of messages that the gateway has acknowledged.
    pub fn delivered_count(&self) -> usize {
        self.known().delivered.values().map(Vec::len).sum()
    }

    /// Compares the arrivals with the responses that programs got, and with what a bridge has sent on each of its connections.
    pub fn account_for(&self, records: &[Record], sent: &[Numbers]) -> Account {
        let arrived = &self.known().numbers;
        let mut account = Account::of(arrived, records);
        // A mosquitto that was killed sends what it had not saved as sent behind newer messages, so its numbers alone do not tell.
        let by_bridge: BTreeSet<&String> = sent.iter().flat_map(BTreeMap::keys).collect();
        account.out_of_order.retain(|(topic, _)| !by_bridge.contains(topic));
        for topic in by_bridge {
            let numbers = arrived.get(topic).map_or(&[][..], Vec::as_slice);
            let sent: Vec<_> = sent.iter().filter_map(|sent| sent.get(topic)).collect();
            let first = find_disorder(numbers, &sent);
            account.out_of_order.extend(first.map(|number| (topic.clone(), number)));
        }
        account
    }

    /// Compares what a program has received with what AWS was told of the topics below this filter. What a broker that was killed has
    /// sent again, although it had an acknowledgement, is no duplicate of gatepost's.
    pub(super) fn account_for_receiver(&self, filter: &str, received: &Numbers) -> Account {
        let prefix = filter.trim_end_matches('#');
        let known = self.known();
        let delivered = known.delivered.iter().filter(|(topic, _)| topic.starts_with(prefix));
        let mut sent_again = 0;
        let records: Vec<_> = delivered
            .map(|(topic, numbers)| {
                let accepted: BTreeSet<u32> = numbers.iter().copied().collect();
                sent_again += numbers.len() - accepted.len();
                Record {
                    accepted: accepted.into_iter().collect(),
                    ..Record::on(topic.clone())
                }
            })
            .collect();
        let account = Account::of(received, &records);
        Account {
            duplicates: account.duplicates.saturating_sub(sent_again),
            ..account
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the first message that breaks the order in which a program has sent these over MQTT 3.1.1. The server accepts on each connection
/// the messages up to some point, and none behind one that it has not accepted. A message that is sent once more changes nothing if the
/// first one was accepted.
fn find_disorder(arrived: &[u32], sent: &[&Vec<u32>]) -> Option<u32> {
    let mut accepted = BTreeSet::new();
    let mut known = BTreeSet::new();
    let first_arrivals: Vec<_> = arrived.iter().filter(|number| known.insert(**number)).collect();
    let mut rest = first_arrivals.into_iter().peekable();
    for connection in sent {
        for number in *connection {
            if accepted.contains(number) {
                continue;
            }
            if rest.next_if_eq(&number).is_none() {
                break;
            }
            accepted.insert(*number);
        }
    }
    rest.next().copied()
}

impl Account {
    fn of(arrived: &Numbers, records: &[Record]) -> Self {
        let mut account = Self::default();
        let mut seen: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for (topic, numbers) in arrived {
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
