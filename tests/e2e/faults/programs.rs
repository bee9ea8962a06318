//! Programs that publish numbered messages, and remember what they were told of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rig::unix_http::KeptConnection;

use super::topic::topic_prefix;

/// Topics of one program: it takes turns.
const TOPICS: usize = 3;
/// Before a program tries again that was refused, or that nobody answered.
const PAUSE: Duration = Duration::from_millis(20);
/// For AWS's acknowledgement, where a program waits for it: answered 202 after that.
const WAIT: &str = "?wait=ack&timeout=2";

/// The responses that a program got for the messages on one of its topics.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub topic: String,
    pub accepted: Vec<u32>,
    pub refused: Vec<u32>,
    /// Nobody has answered: the daemon was killed, or is not there.
    pub unanswered: Vec<u32>,
}

/// Programs that run.
pub struct Programs {
    threads: Vec<JoinHandle<(Vec<Record>, Statuses)>>,
    control: Arc<Control>,
}

/// The number of responses with each HTTP status.
pub type Statuses = BTreeMap<u16, usize>;

#[derive(Debug, Default)]
struct Control {
    accepted: AtomicUsize,
    /// The number of messages that may be accepted by now. Programs wait until it grows.
    allowed: AtomicUsize,
    over: AtomicBool,
}

struct Program {
    name: usize,
    socket: PathBuf,
    random: fastrand::Rng,
    control: Arc<Control>,
    connection: Option<KeptConnection>,
    records: Vec<Record>,
    statuses: Statuses,
}

impl Programs {
    /// Starts so many, of which every fourth waits for AWS's acknowledgement of each message.
    pub fn start(how_many: usize, socket: &Path, random: &mut fastrand::Rng) -> Self {
        let control = Arc::<Control>::default();
        let program = |name| Program {
            name,
            socket: socket.to_owned(),
            random: random.fork(),
            control: control.clone(),
            connection: None,
            records: (0..TOPICS).map(|topic| Record::on(name, topic)).collect(),
            statuses: Statuses::default(),
        };
        let programs: Vec<Program> = (0..how_many).map(program).collect();
        let threads = programs.into_iter().map(|program| thread::spawn(|| program.run()));
        Self {
            threads: threads.collect(),
            control,
        }
    }

    /// The number of accepted messages so far.
    pub fn accepted(&self) -> usize {
        self.control.accepted.load(Ordering::Relaxed)
    }

    /// Lets programs go on until so many are accepted, and a few more.
    pub fn allow(&self, messages: usize) {
        self.control.allowed.store(messages, Ordering::Relaxed);
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
    fn on(program: usize, topic: usize) -> Self {
        Self {
            topic: format!("{}{program}/{topic}", topic_prefix()),
            ..Self::default()
        }
    }

    fn next_number(&self) -> u32 {
        u32::try_from(self.accepted.len() + self.refused.len() + self.unanswered.len()).unwrap()
    }
}

impl Program {
    fn run(mut self) -> (Vec<Record>, Statuses) {
        while !self.control.over.load(Ordering::Relaxed) {
            if self.control.accepted.load(Ordering::Relaxed) >= self.control.allowed.load(Ordering::Relaxed) {
                thread::sleep(PAUSE);
                continue;
            }
            let topic = self.random.usize(..self.records.len());
            let number = self.records[topic].next_number();
            let request = self.request(&self.records[topic].topic.clone(), number);
            let status = self.ask(&request);
            *self.statuses.entry(status.unwrap_or(0)).or_default() += 1;
            let record = &mut self.records[topic];
            match status {
                // A number is used once: what nobody answered may have been accepted.
                None => record.unanswered.push(number),
                Some(200 | 202) => {
                    record.accepted.push(number);
                    self.control.accepted.fetch_add(1, Ordering::Relaxed);
                }
                Some(_) => record.refused.push(number),
            }
            if !matches!(status, Some(200 | 202)) {
                thread::sleep(PAUSE);
            }
        }
        (self.records, self.statuses)
    }

    fn request(&mut self, topic: &str, number: u32) -> Vec<u8> {
        let padding = match self.random.u8(..) {
            0 => self.random.usize(..8192),
            _ => self.random.usize(..120),
        };
        let payload = format!("{number} {}", "x".repeat(padding));
        let query = if self.name % 4 == 3 { WAIT } else { "" };
        let length = payload.len();
        format!("POST /topics/{topic}{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{payload}")
            .into_bytes()
    }

    /// The status of the answer, if there is one.
    fn ask(&mut self, request: &[u8]) -> Option<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => KeptConnection::open(&self.socket).ok()?,
        };
        let status = connection.ask(request).ok()?.status;
        self.connection = Some(connection);
        Some(status)
    }
}

/// The number of a message.
pub fn number_of(payload: &str) -> u32 {
    let number = payload.split(' ').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("a message without a number: {payload:.20}"))
}
