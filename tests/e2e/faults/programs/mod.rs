//! Programs that publish numbered messages, over HTTP and over MQTT, and remember what they were told of each.

mod http;
mod log;
mod mqtt;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use self::log::{Control, Log, Statuses};
use super::mqtt_connection::Address;

pub(super) use self::log::PAUSE;
pub use self::log::Record;

/// Topics of one program: it takes turns.
const TOPICS: usize = 3;

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

/// The number of a message.
pub fn number_of(payload: &str) -> u32 {
    let number = payload.split(' ').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("a message without a number: {payload:.20}"))
}
