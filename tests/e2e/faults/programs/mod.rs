//! Programs that publish numbered messages, over HTTP and over MQTT, and remember what they were told of each.

mod http;
mod mqtt;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::mqtt_connection::Address;

/// Topics of one program: it takes turns.
const TOPICS: usize = 3;
/// Before a program tries again that was refused, or that nobody answered.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// What a program was told of the messages on one of its topics.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub topic: String,
    pub accepted: Vec<u32>,
    pub refused: Vec<u32>,
    /// Nobody has answered: the daemon was killed, or is not there.
    pub unanswered: Vec<u32>,
    pub(super) next: u32,
}

/// How a program publishes.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    /// One message after the other.
    Http(PathBuf),
    /// Several at a time, in this version of the protocol. What has no PUBACK is sent again on the next connection.
    Mqtt(Address, u8),
}

/// Programs that run.
pub struct Programs {
    threads: Vec<JoinHandle<(Vec<Record>, Statuses)>>,
    control: Arc<Control>,
}

/// The number of responses with each HTTP status or reason code. A PUBACK with success is a 200, no answer a 0.
pub type Statuses = BTreeMap<u16, usize>;

#[derive(Debug, Default)]
struct Control {
    accepted: AtomicUsize,
    /// The number of messages that programs have sent once more, because there was no answer.
    resent: AtomicUsize,
    /// The number of messages that may be accepted by now. Programs wait until it grows.
    allowed: AtomicUsize,
    /// How often some programs were killed.
    kills: AtomicUsize,
    over: AtomicBool,
}

/// A message that a program is about to publish.
#[derive(Clone, Debug)]
struct Draft {
    record: usize,
    topic: String,
    number: u32,
    payload: String,
}

/// The answer to a message.
enum Answer {
    Accepted,
    Refused(u16),
    None,
}

/// The messages of one program.
struct Log {
    name: String,
    random: fastrand::Rng,
    records: Vec<Record>,
    statuses: Statuses,
    control: Arc<Control>,
}

impl Programs {
    /// Starts a program for each transport, whose topics begin with `prefix`.
    pub(super) fn start(transports: Vec<Transport>, prefix: &str, random: &mut fastrand::Rng) -> Self {
        let control = Arc::<Control>::default();
        let mut start = |(number, transport)| {
            let mut log = Log {
                name: format!("{}-{number}", prefix.replace('/', "-")),
                random: random.fork(),
                records: (0..TOPICS)
                    .map(|topic| Record::on(format!("{prefix}{number}/{topic}")))
                    .collect(),
                statuses: Statuses::default(),
                control: control.clone(),
            };
            thread::spawn(move || {
                match transport {
                    Transport::Http(socket) => http::run(&mut log, &socket, number % 4 == 2),
                    Transport::Mqtt(address, version) => mqtt::run(&mut log, &address, version),
                }
                (log.records, log.statuses)
            })
        };
        let threads = transports.into_iter().enumerate().map(&mut start).collect();
        Self { threads, control }
    }

    /// The number of accepted messages so far.
    pub fn accepted(&self) -> usize {
        self.control.accepted.load(Ordering::Relaxed)
    }

    /// The number of messages that programs have sent once more.
    pub(super) fn resent(&self) -> usize {
        self.control.resent.load(Ordering::Relaxed)
    }

    /// Lets programs go on until so many are accepted, and a few more.
    pub fn allow(&self, messages: usize) {
        self.control.allowed.store(messages, Ordering::Relaxed);
    }

    /// Kills about half of the programs that speak MQTT: their connections end, and they have forgotten what was under way.
    pub fn kill_some(&self) {
        self.control.kills.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends them; what they were told, and how often each status.
    pub fn end(self) -> (Vec<Record>, Statuses) {
        self.control.over.store(true, Ordering::Relaxed);
        let (mut records, mut statuses) = (Vec::new(), Statuses::default());
        for thread in self.threads {
            let (of_one, answers) = thread.join().unwrap();
            records.extend(of_one);
            for (status, count) in answers {
                *statuses.entry(status).or_default() += count;
            }
        }
        (records, statuses)
    }
}

impl Record {
    /// The record of a topic with no message yet.
    pub(super) fn on(topic: String) -> Self {
        Self {
            topic,
            ..Self::default()
        }
    }
}

impl Log {
    fn is_over(&self) -> bool {
        self.control.over.load(Ordering::Relaxed)
    }

    /// Whether more messages may be published now; waits for a moment if not.
    fn may_publish(&self) -> bool {
        let may = self.control.accepted.load(Ordering::Relaxed) < self.control.allowed.load(Ordering::Relaxed);
        if !may {
            thread::sleep(PAUSE);
        }
        may
    }

    /// A message with the next number of one of the topics. A number is used once: what nobody answered may have been accepted.
    fn draft(&mut self) -> Draft {
        let padding = match self.random.u8(..) {
            0 => self.random.usize(..8192),
            _ => self.random.usize(..120),
        };
        let index = self.random.usize(..self.records.len());
        let record = &mut self.records[index];
        let number = record.next;
        record.next += 1;
        Draft {
            record: index,
            topic: record.topic.clone(),
            number,
            payload: format!("{number} {}", "x".repeat(padding)),
        }
    }

    fn report(&mut self, draft: &Draft, answer: &Answer) {
        let record = &mut self.records[draft.record];
        let (numbers, status) = match answer {
            Answer::Accepted => (&mut record.accepted, 200),
            Answer::Refused(status) => (&mut record.refused, *status),
            Answer::None => (&mut record.unanswered, 0),
        };
        numbers.push(draft.number);
        *self.statuses.entry(status).or_default() += 1;
        if matches!(answer, Answer::Accepted) {
            self.control.accepted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The number of a message.
pub fn number_of(payload: &str) -> u32 {
    let number = payload.split(' ').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("a message without a number: {payload:.20}"))
}
