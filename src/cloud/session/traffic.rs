//! Everything that goes over a connection: presence, the outbox's messages, subscriptions and what comes on them.
//!
//! It lasts through all connections and makes none. What it sends goes into a [`PacketSink`], and what AWS sends comes as
//! [`Event`]s, so that it is tested without a broker.

use super::presence::Presence;
use super::presence_report::State;
use super::publisher::{Next, Publisher};
use super::subscriber::Subscriber;
use crate::cloud::mqtt::{Event, Farewell, Lost, PacketSink, ReasonCode};
use crate::mqtt::{ProtocolError, ServerLimits};
use crate::problem::Problem;

/// Presence, publisher and subscriber, which share a connection.
#[derive(Debug)]
pub struct Traffic {
    /// Announces to others whether the gateway is online.
    pub presence: Presence,
    /// From the outbox to AWS.
    pub publisher: Publisher,
    /// From AWS to the inbox.
    pub subscriber: Subscriber,
}

impl Traffic {
    /// Reads what earlier starts have noted.
    pub(super) async fn remember(&mut self) {
        self.presence.remember().await;
        self.subscriber.remember().await;
    }

    /// A connection. Returns the breach because of which the session of before was discarded, where it was.
    pub(super) async fn connected(&mut self, limits: &ServerLimits) -> Option<ProtocolError> {
        self.publisher.connected(limits);
        self.subscriber.connected(*limits).await
    }

    /// An attempt to connect has failed.
    pub(super) fn not_reached(&mut self) {
        self.publisher.not_reached();
        self.subscriber.not_reached();
    }

    /// The connection has ended, and how it was lost, where it was.
    pub(super) async fn disconnected(&mut self, lost: Option<&Lost>) {
        let suspicious = lost.is_some_and(may_be_a_message);
        let explained = self.publisher.disconnected(suspicious, lost).await;
        self.presence.disconnected(lost.filter(|_| !explained));
        self.subscriber.disconnected(suspicious && !explained, lost).await;
    }

    /// Whether the search for what ends the connections has got on since this was asked the last time: then the next attempt need
    /// not wait ever longer.
    pub(super) fn has_found_one(&mut self) -> bool {
        self.publisher.has_found_one() | self.subscriber.has_found_one()
    }

    /// Returns a problem that exists although the session is up.
    pub(super) fn problem(&self, thing: &str) -> Option<Problem> {
        self.subscriber.problem().or_else(|| self.presence.refusal(thing))
    }

    /// Announces that we are online.
    pub(super) fn announce_online(&mut self, sink: &mut dyn PacketSink, thing: &str) {
        self.presence.try_again_in_time();
        self.presence.announce(sink, thing, State::Online);
    }

    /// Announces that we are going offline. Where that cannot be sent, the will is to say so.
    pub(super) fn announce_offline(&mut self, sink: &mut dyn PacketSink, thing: &str) -> Farewell {
        match self.presence.announce(sink, thing, State::Offline) {
            true => Farewell::DiscardWill,
            false => Farewell::PublishWill,
        }
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, next: Next, sink: &mut dyn PacketSink) {
        self.publisher.send(next, sink).await;
    }

    /// Takes what has come from AWS. True where what is wrong has changed.
    pub(super) async fn happened(&mut self, event: Event, sink: &mut dyn PacketSink, thing: &str) -> bool {
        match event {
            Event::Received { packet_id, message } => {
                self.publisher.received();
                self.subscriber.receiver.received(packet_id, message);
            }
            Event::Skipped { packet_id, topic, why } => {
                self.publisher.received();
                self.subscriber.receiver.skipped(packet_id, &topic, &why);
            }
            Event::Subscribed {
                packet_id,
                granted,
                words,
            } => self.subscriber.subscribed(packet_id, &granted, words).await,
            Event::Unsubscribed { packet_id } => self.subscriber.unsubscribed(packet_id).await,
            Event::Room => self.publisher.room(),
            Event::Acknowledged { packet_id, reason } => {
                self.publisher.window_moved();
                match self.presence.answered(packet_id, reason.code).await {
                    None => self.publisher.answered(packet_id, &reason).await,
                    Some(false) => {}
                    Some(true) => {
                        // Perhaps it is allowed in another manner.
                        self.presence.announce(sink, thing, State::Online);
                        return true;
                    }
                }
            }
        }
        false
    }
}

/// Whether AWS may have ended the connection because of what was sent on it. What it says of other matters (taken over, busy,
/// a quota, maintenance), and what we have ended ourselves, is nobody's fault.
fn may_be_a_message(lost: &Lost) -> bool {
    match lost {
        Lost::Disconnected(reason) => matches!(
            reason.code,
            ReasonCode::UNSPECIFIED_ERROR
                | ReasonCode::MALFORMED_PACKET
                | ReasonCode::PROTOCOL_ERROR
                | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
                | ReasonCode::NOT_AUTHORIZED
                | ReasonCode::TOPIC_FILTER_INVALID
                | ReasonCode::TOPIC_NAME_INVALID
                | ReasonCode::PACKET_TOO_LARGE
                | ReasonCode::PAYLOAD_FORMAT_INVALID
                | ReasonCode::RETAIN_NOT_SUPPORTED
                | ReasonCode::QOS_NOT_SUPPORTED
                | ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
                | ReasonCode::SUBSCRIPTION_IDS_NOT_SUPPORTED
                | ReasonCode::WILDCARDS_NOT_SUPPORTED
        ),
        Lost::Broken(_) => true,
        Lost::GivenUp(_) | Lost::Unanswered | Lost::Stale | Lost::Breach(_) => false,
    }
}

#[cfg(test)]
mod tests;
