//! The messages of one program, and the answer to each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Before a program tries again that was refused, or that nobody answered.
pub(in crate::faults) const PAUSE: Duration = Duration::from_millis(20);

/// The answers to the messages of a program on one of its topics.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub topic: String,
    pub accepted: Vec<u32>,
    pub refused: Vec<u32>,
    /// Nobody has answered: the daemon was killed, or is not there.
    pub unanswered: Vec<u32>,
    pub(in crate::faults) next: u32,
}

/// The number of responses with each HTTP status or reason code. A PUBACK with success is a 200, no answer a 0.
pub(super) type Statuses = BTreeMap<u16, usize>;

#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) accepted: AtomicUsize,
    /// The number of messages that programs have sent once more, because there was no answer.
    pub(super) resent: AtomicUsize,
    /// The number of messages that may be accepted by now. Programs wait until it grows.
    pub(super) allowed: AtomicUsize,
    /// How often some programs were killed.
    pub(super) kills: AtomicUsize,
    pub(super) over: AtomicBool,
}

/// A message that a program is about to publish.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) record: usize,
    pub(super) topic: String,
    pub(super) number: u32,
    pub(super) payload: String,
}

/// The answer to a message.
pub(super) enum Answer {
    Accepted,
    Refused(u16),
    None,
}

/// The messages of one program.
pub(super) struct Log {
    pub(super) name: String,
    pub(super) random: fastrand::Rng,
    pub(super) records: Vec<Record>,
    pub(super) statuses: Statuses,
    pub(super) control: Arc<Control>,
}

impl Record {
    /// The record of a topic with no message yet.
    pub(in crate::faults) fn on(topic: String) -> Self {
        Self {
            topic,
            ..Self::default()
        }
    }
}

impl Log {
    pub(super) fn is_over(&self) -> bool {
        self.control.over.load(Ordering::Relaxed)
    }

    /// Whether more messages may be published now; waits for a moment if not.
    pub(super) fn may_publish(&self) -> bool {
        let may = self.control.accepted.load(Ordering::Relaxed) < self.control.allowed.load(Ordering::Relaxed);
        if !may {
            thread::sleep(PAUSE);
        }
        may
    }

    /// A message with the next number of one of the topics. A number is used once: what nobody answered may have been accepted.
    pub(super) fn draft(&mut self) -> Draft {
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

    pub(super) fn report(&mut self, draft: &Draft, answer: &Answer) {
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
