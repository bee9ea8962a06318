//! Presence: announces that the gateway is online, with a report of its health, or offline. The will, which AWS publishes when the
//! connection is lost, announces that it is offline.
//!
//! Presence must never cost the session: what the policy forbids is not published for an hour. The policy may forbid the topic, or only
//! retained messages on it (iot:RetainPublish), so there are three modes.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::presence_report::{PresenceReport, State};
use super::problems;
use crate::cloud::mqtt::{Lost, NotSent, PacketSink, ReasonCode};
use crate::messages::{Message, Outbox};
use crate::mqtt::LATEST_ANSWER;
use crate::problem::Problem;

/// Time after which a refused mode is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(3600);
/// Minimum time between two reports.
const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// Record in the database that AWS allows retained messages. Without it the will is not retained, because AWS refuses the whole
/// connection if the policy forbids the will (developer guide, life-cycle-events).
const RETAINED: &str = "retained";

/// How presence is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Retained,
    NotRetained,
    Off,
}

impl Mode {
    /// Returns the mode to use after this one was refused.
    fn fallback(self) -> Self {
        match self {
            Self::Retained => Self::NotRetained,
            Self::NotRetained | Self::Off => Self::Off,
        }
    }
}

/// An announcement that AWS has not answered yet.
#[derive(Debug)]
struct InFlight {
    packet_id: u16,
    retained: bool,
    since: Instant,
}

/// State of presence, which outlives connections.
#[derive(Debug)]
pub struct Presence {
    topic: Option<String>,
    interval: Option<Duration>,
    report: PresenceReport,
    outbox: Outbox,
    mode: Mode,
    /// Whether AWS is known to accept retained messages.
    retain_is_allowed: bool,
    /// Time of the last refusal.
    refused: Option<Instant>,
    /// Whether connections have no will, until AWS has accepted an announcement.
    without_will: bool,
    /// Whether AWS did not answer announcements, rather than refuse them.
    is_unanswered: bool,
    /// The announcement that AWS has not answered yet.
    in_flight: Option<InFlight>,
    /// Time of the last announcement.
    last: Option<Instant>,
}

impl Presence {
    /// Creates presence on `topic`, in which `{thing}` stands for the thing name. Without a topic nothing is published. Health is
    /// reported on changes and every `interval`, or never.
    pub fn new(topic: Option<String>, interval: Option<Duration>, report: PresenceReport, outbox: Outbox) -> Self {
        Self {
            topic,
            interval,
            report,
            outbox,
            mode: Mode::Retained,
            retain_is_allowed: false,
            refused: None,
            without_will: false,
            is_unanswered: false,
            in_flight: None,
            last: None,
        }
    }

    /// Changes the topic or the interval. Knowledge about the old topic does not apply to a new one.
    pub(super) fn configure(&mut self, topic: Option<String>, interval: Option<Duration>) {
        self.interval = interval;
        if self.topic != topic {
            self.topic = topic;
            self.mode = Mode::Retained;
            self.retain_is_allowed = false;
            self.without_will = false;
            self.refused = None;
            self.in_flight = None;
        }
    }

    /// Reads the record of earlier runs.
    pub(super) async fn restore(&mut self) {
        let record = self.outbox.presence().await.ok().flatten();
        self.retain_is_allowed = record.as_deref() == Some(RETAINED);
    }

    /// Returns the will, unless presence is not published.
    pub(super) fn will(&self, thing_name: &str) -> Option<Message> {
        if self.without_will {
            return None;
        }
        let retain = self.mode == Mode::Retained && self.retain_is_allowed;
        self.message(thing_name, self.report.payload(State::Offline, false), retain)
    }

    /// Makes a message on the topic, unless presence is not published.
    fn message(&self, thing_name: &str, payload: Vec<u8>, retain: bool) -> Option<Message> {
        let topic = self.topic.as_ref().filter(|_| self.mode != Mode::Off)?;
        Some(Message {
            topic: topic.replace(crate::topic::THING, thing_name),
            payload: payload.into(),
            retain,
            ..Message::default()
        })
    }

    /// Publishes the state of the gateway. Returns false if it should be published but could not be sent.
    pub(super) fn announce(&mut self, sink: &mut dyn PacketSink, thing_name: &str, state: State) -> bool {
        let payload = self.report.payload(state, self.interval.is_some());
        self.last = Some(Instant::now());
        self.report.changed.borrow_and_update();
        // A limit in CONNACK is not a refusal by the policy, and may differ on the next connection.
        let retain = self.mode == Mode::Retained && sink.limits().retain_available;
        let Some(message) = self.message(thing_name, payload, retain) else {
            return true;
        };
        let outcome = match sink.publish(&message) {
            Ok(packet_id) => {
                self.in_flight = Some(InFlight {
                    packet_id,
                    retained: retain,
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

    /// Returns when an announcement is due. Cancel safe.
    pub(super) async fn due(&mut self) {
        let retry = self.refused.map(|then| then + RETRY_INTERVAL);
        let (Some(interval), Some(last), true) = (self.interval, self.last, self.topic.is_some()) else {
            return match retry {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            };
        };
        if self.mode == Mode::Off {
            return sleep_until(retry.unwrap_or(last + interval)).await;
        }
        let status = &mut self.report.changed;
        tokio::select! {
            () = sleep_until(last + interval) => {}
            () = async {
                // A closed channel means that the daemon shuts down.
                if status.changed().await.is_err() { pending().await }
                status.mark_changed();
                sleep_until(last + MIN_INTERVAL).await;
            } => {}
        }
    }

    /// Starts again with the first mode if the last refusal was an hour ago.
    pub(super) fn retry_refused(&mut self) {
        if self.refused.is_some_and(|then| then.elapsed() >= RETRY_INTERVAL) {
            self.refused = None;
            self.mode = Mode::Retained;
        }
    }

    /// Starts again with the first mode. Returns whether AWS had refused one.
    pub(super) fn forget_refusal(&mut self) -> bool {
        let was_refused = self.refused.take().is_some();
        if was_refused {
            self.mode = Mode::Retained;
        }
        was_refused
    }

    /// Returns whether AWS has answered the last announcement.
    pub(super) fn is_settled(&self) -> bool {
        self.in_flight.is_none()
    }

    /// Handles AWS's answer. Returns whether AWS refused the announcement, or `None` if the answer is for another message.
    pub(super) async fn answered(&mut self, packet_id: u16, code: ReasonCode) -> Option<bool> {
        let answered = self.in_flight.take_if(|in_flight| in_flight.packet_id == packet_id)?;
        self.is_unanswered = false;
        if code.is_failure() {
            self.refuse();
            return Some(true);
        }
        self.without_will = false;
        if answered.retained && !self.retain_is_allowed {
            self.retain_is_allowed = true;
            self.outbox.store_presence(RETAINED.to_owned()).await;
        }
        Some(false)
    }

    /// Falls back to the next mode.
    fn refuse(&mut self) {
        if self.mode == Mode::Retained && self.retain_is_allowed {
            self.retain_is_allowed = false;
        }
        self.mode = self.mode.fallback();
        self.without_will |= self.mode == Mode::Off;
        self.refused = Some(Instant::now());
    }

    /// Handles the end of a connection that no other message has caused. AWS may refuse an announcement by closing the connection, or
    /// not answer it at all.
    pub(super) fn disconnected(&mut self, lost: Option<&Lost>) {
        let Some(in_flight) = self.in_flight.take() else {
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
            Some(Lost::Unanswered) if in_flight.since.elapsed() >= LATEST_ANSWER => {
                self.refuse();
                self.is_unanswered = true;
            }
            _ => {}
        }
    }

    /// Changes the will after AWS has refused a connection, perhaps because of the will. An announcement on the next connection then
    /// shows what the policy allows, without costing the connection.
    pub(super) fn change_will(&mut self) {
        match self.retain_is_allowed && !self.without_will {
            // First the will is no longer retained.
            true => self.retain_is_allowed = false,
            false => self.without_will = !self.without_will,
        }
    }

    /// Returns the problem if presence is configured but not allowed.
    pub(super) fn refusal(&self, thing_name: &str) -> Option<Problem> {
        let topic = self.topic.as_ref().filter(|_| self.mode == Mode::Off)?;
        let topic = topic.replace(crate::topic::THING, thing_name);
        Some(match self.is_unanswered {
            true => problems::presence_unanswered(&topic),
            false => problems::presence_refused(&topic),
        })
    }
}
