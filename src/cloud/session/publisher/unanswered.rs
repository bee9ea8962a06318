//! Messages at quality of service 0, which AWS answers by ending the connection or not at all.
//!
//! Once it has ended one over such a message, the next one on each topic goes at quality of service 1: AWS's answer then names
//! the topic and costs no connection. What it refuses is left alone for an hour; what it has taken goes unanswered again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::super::problems;
use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;
use crate::messages::Message;
use crate::problem::Problem;

/// What AWS has refused is not sent again for so long.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// A loss this soon after a message may be because of it.
const SOON: Duration = Duration::from_secs(1);
/// Topics that are remembered: a program that makes up topics takes no more memory, and is asked about more often.
const TOPICS: usize = 256;

/// What AWS decides on: a topic, and whether the message is to be retained (iot:Publish, iot:RetainPublish).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    topic: String,
    retain: bool,
}

impl Kind {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            topic: message.topic.clone(),
            retain: message.retain,
        }
    }
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    /// Sent on this connection, and when the last time.
    sent: BTreeMap<Kind, Instant>,
    /// Taken by AWS since it last ended a connection over one; nothing, as long as it never has.
    taken: Option<BTreeSet<Kind>>,
    refused: BTreeMap<Kind, (Instant, Problem)>,
    lines: LogLimiter,
}

impl Unanswered {
    /// Why it is not sent, where AWS has refused its kind within the last hour.
    pub(super) fn refusal(&self, kind: &Kind) -> Option<Problem> {
        let (until, why) = self.refused.get(kind)?;
        (Instant::now() < *until).then(|| why.clone())
    }

    /// Whether AWS is to be asked about it.
    pub(super) fn is_doubtful(&self, kind: &Kind) -> bool {
        self.taken.as_ref().is_some_and(|taken| !taken.contains(kind))
    }

    /// It was sent without an answer to come.
    pub(super) fn sent(&mut self, kind: Kind) {
        if self.sent.len() >= TOPICS {
            self.sent.retain(|_, at| at.elapsed() <= SOON);
        }
        self.sent.insert(kind, Instant::now());
    }

    /// AWS has taken one that was to be answered.
    pub(super) fn taken(&mut self, kind: Kind) {
        if let Some(taken) = &mut self.taken {
            if taken.len() >= TOPICS {
                taken.clear();
            }
            taken.insert(kind);
        }
    }

    /// AWS does not take it; returns what its program is told.
    pub(super) fn refuse(&mut self, kind: Kind, why: &str) -> Problem {
        let problem = problems::topic_refused(&kind.topic, kind.retain, why);
        self.lines.one_more(|level, more| {
            journal!(level, Event::TopicRefused, TOPIC = kind.topic.as_str(); "session: {problem}{more}");
        });
        let now = Instant::now();
        if self.refused.len() >= TOPICS {
            self.refused.retain(|_, (until, _)| now < *until);
        }
        if self.refused.len() >= TOPICS {
            self.refused.pop_first();
        }
        self.refused.insert(kind, (now + LEFT_ALONE, problem.clone()));
        problem
    }

    /// The connection is lost, perhaps over one of those returned.
    pub(super) fn lost(&mut self) -> Vec<Kind> {
        let sent = std::mem::take(&mut self.sent).into_iter();
        sent.filter(|(_, at)| at.elapsed() <= SOON)
            .map(|(kind, _)| kind)
            .collect()
    }

    /// From now on AWS is asked about each kind before it goes unanswered.
    pub(super) fn doubt(&mut self) {
        self.taken = Some(BTreeSet::new());
    }
}
