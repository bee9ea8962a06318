//! Refusals of messages at QoS 0, which AWS answers by closing the connection or not at all.
//!
//! Once AWS has closed a connection because of such a message, the next message on each topic is sent at QoS 1: the answer then names
//! the topic and costs no connection. Refused kinds of messages are not sent for an hour; accepted ones are sent at QoS 0 again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::session::problems;
use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;
use crate::messages::Message;
use crate::problem::Problem;

/// Time for which a refused kind of message is not sent.
const REFUSAL: Duration = Duration::from_secs(3600);
/// A connection that is lost within this time of a message may be lost because of it.
const SUSPECT_WINDOW: Duration = Duration::from_secs(1);
/// Number of kinds that are remembered. A program that invents topics uses no more memory; its messages are just sent at QoS 1 more
/// often.
const MAX_KINDS: usize = 256;

/// The properties of a message that AWS's policies allow or refuse: its topic, and whether it is retained (iot:Publish,
/// iot:RetainPublish).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    topic: String,
    retain: bool,
}

impl Kind {
    /// Returns the kind of a message.
    pub(super) fn of(message: &Message) -> Self {
        Self {
            topic: message.topic.clone(),
            retain: message.retain,
        }
    }
}

/// Knowledge about kinds of messages at QoS 0.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    /// Kinds sent on this connection at QoS 0, and the time of the last message.
    sent: BTreeMap<Kind, Instant>,
    /// Kinds that AWS has accepted since it last closed a connection because of a message; `None` if it never has.
    accepted: Option<BTreeSet<Kind>>,
    /// Refused kinds, the end of the refusal, and the reason.
    refused: BTreeMap<Kind, (Instant, Problem)>,
    /// Limits journal entries about refused kinds.
    log_limiter: LogLimiter,
}

impl Unanswered {
    /// Returns the reason if AWS has refused this kind within the last hour.
    pub(super) fn refusal(&self, kind: &Kind) -> Option<Problem> {
        let (until, why) = self.refused.get(kind)?;
        (Instant::now() < *until).then(|| why.clone())
    }

    /// Returns whether the next message of this kind must be sent at QoS 1.
    pub(super) fn is_doubtful(&self, kind: &Kind) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| !accepted.contains(kind))
    }

    /// Records a message that was sent at QoS 0.
    pub(super) fn sent(&mut self, kind: Kind) {
        if self.sent.len() >= MAX_KINDS {
            self.sent.retain(|_, at| at.elapsed() <= SUSPECT_WINDOW);
        }
        self.sent.insert(kind, Instant::now());
    }

    /// Records that AWS has accepted a message at QoS 1.
    pub(super) fn accepted(&mut self, kind: Kind) {
        if let Some(accepted) = &mut self.accepted {
            if accepted.len() >= MAX_KINDS {
                accepted.clear();
            }
            accepted.insert(kind);
        }
    }

    /// Records and logs that AWS refuses this kind. Returns the problem for the sender.
    pub(super) fn refuse(&mut self, kind: Kind, why: &str) -> Problem {
        let problem = problems::topic_refused(&kind.topic, kind.retain, why);
        self.log_limiter.write(|level, more| {
            journal!(level, Event::TopicRefused, TOPIC = kind.topic.as_str(); "session: {problem}{more}");
        });
        let now = Instant::now();
        if self.refused.len() >= MAX_KINDS {
            self.refused.retain(|_, (until, _)| now < *until);
        }
        if self.refused.len() >= MAX_KINDS {
            self.refused.pop_first();
        }
        self.refused.insert(kind, (now + REFUSAL, problem.clone()));
        problem
    }

    /// Handles the loss of the connection. Returns the kinds that were sent just before it, and may be the cause.
    pub(super) fn take_recent(&mut self) -> Vec<Kind> {
        let sent = std::mem::take(&mut self.sent).into_iter();
        sent.filter(|(_, at)| at.elapsed() <= SUSPECT_WINDOW)
            .map(|(kind, _)| kind)
            .collect()
    }

    /// Makes each kind doubtful: its next message is sent at QoS 1.
    pub(super) fn doubt(&mut self) {
        self.accepted = Some(BTreeSet::new());
    }
}
