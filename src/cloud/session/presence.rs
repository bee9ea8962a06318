//! What others hear of us: online with a report of our health, offline, and the will that AWS publishes when we vanish.
//!
//! Never a reason to be without a session: what the policy forbids is left alone for an hour. There are two things it may
//! forbid, the topic and retained messages on it (iot:RetainPublish), so presence has three manners.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::presence_report::{PresenceReport, State};
use super::problems;
use crate::cloud::mqtt::{Lost, NotSent, PacketSink, ReasonCode};
use crate::messages::{Message, Outbox};
use crate::mqtt::LATEST_ANSWER;
use crate::problem::Problem;

/// What AWS has refused is tried again after this time.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// Changes are reported no more often than this.
const LEAST: Duration = Duration::from_secs(10);
/// The fact by which a later start knows that AWS allows a retained will; without it the will is not retained, because a will
/// that the policy forbids costs the whole connection (developer guide, life-cycle-events).
const RETAINED: &str = "retained";

/// How presence is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Manner {
    Retained,
    Plain,
    Not,
}

impl Manner {
    fn less(self) -> Self {
        match self {
            Self::Retained => Self::Plain,
            Self::Plain | Self::Not => Self::Not,
        }
    }
}

/// An announcement that AWS has yet to answer.
#[derive(Debug)]
struct UnderWay {
    packet_id: u16,
    retained: bool,
    since: Instant,
}

/// Presence, where it is wanted and AWS allows it.
#[derive(Debug)]
pub struct Presence {
    topic: Option<String>,
    interval: Option<Duration>,
    health: PresenceReport,
    outbox: Outbox,
    manner: Manner,
    /// Whether AWS was seen to take a retained one.
    retain_is_known: bool,
    refused: Option<Instant>,
    /// Whether the next connection is tried without a will, until AWS has taken an announcement.
    without_will: bool,
    /// Whether AWS has left announcements unanswered, rather than refused them.
    is_unanswered: bool,
    /// The announcement that AWS has yet to answer.
    under_way: Option<UnderWay>,
    last: Option<Instant>,
}

impl Presence {
    /// Presence on `topic`, in which `{thing}` stands for the thing name; none without a topic. Health is reported on changes
    /// and every `interval`, or never.
    pub fn new(topic: Option<String>, interval: Option<Duration>, health: PresenceReport, outbox: Outbox) -> Self {
        Self {
            topic,
            interval,
            health,
            outbox,
            manner: Manner::Retained,
            retain_is_known: false,
            refused: None,
            without_will: false,
            is_unanswered: false,
            under_way: None,
            last: None,
        }
    }

    /// Takes on another topic or interval. What is known of the old topic says nothing of a new one.
    pub(super) fn configure(&mut self, topic: Option<String>, interval: Option<Duration>) {
        self.interval = interval;
        if self.topic != topic {
            self.topic = topic;
            self.manner = Manner::Retained;
            self.retain_is_known = false;
            self.without_will = false;
            self.refused = None;
            self.under_way = None;
        }
    }

    /// What an earlier start has found out.
    pub(super) async fn remember(&mut self) {
        let known = self.outbox.presence().await.ok().flatten();
        self.retain_is_known = known.as_deref() == Some(RETAINED);
    }

    /// The will; none where presence is not published.
    pub(super) fn will(&self, thing: &str) -> Option<Message> {
        if self.without_will {
            return None;
        }
        let retain = self.manner == Manner::Retained && self.retain_is_known;
        self.message(thing, self.health.payload(State::Offline, false), retain)
    }

    fn message(&self, thing: &str, payload: Vec<u8>, retain: bool) -> Option<Message> {
        let topic = self.topic.as_ref().filter(|_| self.manner != Manner::Not)?;
        Some(Message {
            topic: topic.replace(crate::topic::THING, thing),
            payload: payload.into(),
            retain,
            ..Message::default()
        })
    }

    /// Publishes that we are online or about to be offline. False where it is to be published and could not be sent.
    pub(super) fn announce(&mut self, sink: &mut dyn PacketSink, thing: &str, state: State) -> bool {
        let payload = self.health.payload(state, self.interval.is_some());
        self.last = Some(Instant::now());
        self.health.changed.borrow_and_update();
        // What CONNACK has ruled out is no refusal of AWS's policy: the next connection may allow it.
        let retained = self.manner == Manner::Retained && sink.limits().retain_available;
        let Some(message) = self.message(thing, payload, retained) else {
            return true;
        };
        let outcome = match sink.publish(&message) {
            Ok(packet_id) => {
                self.under_way = Some(UnderWay {
                    packet_id,
                    retained,
                    since: Instant::now(),
                });
                Ok(())
            }
            Err(NotSent::AtMostOnceOnly) => sink.publish_unacknowledged(&message),
            Err(why) => Err(why),
        };
        outcome
            .inspect_err(|why| log::debug!("session: presence was not sent: {why:?}"))
            .is_ok()
    }

    /// Returns when a report is due. Cancel safe.
    pub(super) async fn due(&mut self) {
        let retry = self.refused.map(|then| then + LEFT_ALONE);
        let (Some(interval), Some(last), true) = (self.interval, self.last, self.topic.is_some()) else {
            return match retry {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            };
        };
        if self.manner == Manner::Not {
            return sleep_until(retry.unwrap_or(last + interval)).await;
        }
        let status = &mut self.health.changed;
        tokio::select! {
            () = sleep_until(last + interval) => {}
            () = async {
                // An end of the bell is the daemon's end.
                if status.changed().await.is_err() { pending().await }
                status.mark_changed();
                sleep_until(last + LEAST).await;
            } => {}
        }
    }

    /// What was refused an hour ago is tried again.
    pub(super) fn try_again_in_time(&mut self) {
        if self.refused.is_some_and(|then| then.elapsed() >= LEFT_ALONE) {
            self.refused = None;
            self.manner = Manner::Retained;
        }
    }

    /// AWS has answered an announcement: whether it was ours, and refused.
    pub(super) async fn answered(&mut self, packet_id: u16, code: ReasonCode) -> Option<bool> {
        let answered = self.under_way.take_if(|under_way| under_way.packet_id == packet_id)?;
        self.is_unanswered = false;
        if code.is_failure() {
            self.refuse();
            return Some(true);
        }
        self.without_will = false;
        if answered.retained && !self.retain_is_known {
            self.retain_is_known = true;
            self.outbox.store_presence(RETAINED.to_owned()).await;
        }
        Some(false)
    }

    fn refuse(&mut self) {
        if self.manner == Manner::Retained && self.retain_is_known {
            self.retain_is_known = false;
        }
        self.manner = self.manner.less();
        self.without_will |= self.manner == Manner::Not;
        self.refused = Some(Instant::now());
    }

    /// The connection has ended, not because of a message of others. AWS may answer an announcement so as well, or not at all.
    pub(super) fn disconnected(&mut self, lost: Option<&Lost>) {
        let Some(under_way) = self.under_way.take() else {
            return;
        };
        match lost {
            Some(Lost::Disconnected(reason))
                if matches!(
                    reason.code,
                    ReasonCode::NOT_AUTHORIZED | ReasonCode::TOPIC_NAME_INVALID | ReasonCode::RETAIN_NOT_SUPPORTED
                ) =>
            {
                self.refuse();
            }
            Some(Lost::Unanswered) if under_way.since.elapsed() >= LATEST_ANSWER => {
                self.refuse();
                self.is_unanswered = true;
            }
            _ => {}
        }
    }

    /// AWS has refused a connection, perhaps because of the will, perhaps not: the next one is made another way. An
    /// announcement then shows what is allowed, and costs no connection.
    pub(super) fn try_another_way(&mut self) {
        match self.retain_is_known && !self.without_will {
            // The will is not retained unless AWS has allowed that before.
            true => self.retain_is_known = false,
            false => self.without_will = !self.without_will,
        }
    }

    /// What to say while presence is wanted and not allowed.
    pub(super) fn refusal(&self, thing: &str) -> Option<Problem> {
        let topic = self.topic.as_ref().filter(|_| self.manner == Manner::Not)?;
        let topic = topic.replace(crate::topic::THING, thing);
        Some(match self.is_unanswered {
            true => problems::presence_unanswered(&topic),
            false => problems::presence_refused(&topic),
        })
    }
}
