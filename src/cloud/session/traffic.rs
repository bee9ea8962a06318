//! Everything that is sent and received over a connection: presence, the messages of the outbox, subscriptions, and incoming messages.
//!
//! It outlives connections, and opens none. Packets go to a [`PacketSink`], and AWS's packets arrive as [`Event`]s, so it can be tested
//! without a broker.

use super::presence::Presence;
use super::presence_report::State;
use super::publisher::next::Next;
use super::publisher::{self, Publisher};
use super::subscriber::{self, Subscriber};
use crate::cloud::mqtt::{Event, Farewell, Lost, PacketSink, ReasonCode};
use crate::mqtt::{ProtocolError, ServerLimits};
use crate::problem::Problem;

/// The parts of the session that share a connection.
#[derive(Debug)]
pub struct Traffic {
    /// Announces to others whether the gateway is online.
    pub presence: Presence,
    /// Publishes messages to AWS.
    pub publisher: Publisher,
    /// Receives messages from AWS.
    pub subscriber: Subscriber,
}

impl Traffic {
    /// Reads the records of earlier runs.
    pub(super) async fn restore(&mut self) {
        self.presence.restore().await;
        self.subscriber.restore().await;
    }

    /// Starts with a new connection. If the previous session was discarded because of a protocol error, returns that error.
    pub(super) async fn connected(&mut self, limits: &ServerLimits) -> Option<ProtocolError> {
        self.publisher.connected(limits);
        self.subscriber.connected(*limits).await
    }

    /// Records a failed attempt to connect.
    pub(super) fn connect_failed(&mut self) {
        self.publisher.connect_failed();
        self.subscriber.connect_failed();
    }

    /// Handles the end of a connection; `lost` says how, unless we closed it deliberately.
    pub(super) async fn disconnected(&mut self, lost: Option<&Lost>) {
        let suspicious = lost.is_some_and(may_be_our_packet);
        let explained = publisher::disconnect::handle_disconnect(&mut self.publisher, suspicious, lost).await;
        self.presence.disconnected(lost.filter(|_| !explained));
        self.subscriber.disconnected(suspicious && !explained, lost).await;
    }

    /// Returns whether the search for the message or filter that ends connections has made progress since the last call.
    pub(super) fn take_progress(&mut self) -> bool {
        self.publisher.take_progress() | self.subscriber.take_progress()
    }

    /// Returns the problem that exists although the session is connected.
    pub(super) fn problem(&self, thing_name: &str) -> Option<Problem> {
        self.subscriber.problem().or_else(|| self.presence.refusal(thing_name))
    }

    /// Announces that the gateway is online.
    pub(super) fn announce_online(&mut self, sink: &mut dyn PacketSink, thing_name: &str) {
        self.presence.retry_refused();
        self.presence.announce(sink, thing_name, State::Online);
    }

    /// Asks AWS again for everything that it has refused and that otherwise waits: filters, and presence. Returns whether there was any.
    pub(super) fn ask_again(&mut self, sink: &mut dyn PacketSink, thing_name: &str) -> bool {
        let has_filters = self.subscriber.ask_again();
        let has_presence = self.presence.forget_refusal();
        if has_presence {
            self.announce_online(sink, thing_name);
        }
        has_filters || has_presence
    }

    /// Returns whether AWS has answered all announcements and subscriptions.
    pub(super) fn is_settled(&self) -> bool {
        self.presence.is_settled() && self.subscriber.is_settled()
    }

    /// Announces that the gateway goes offline. If the announcement cannot be sent, the will must be published instead.
    pub(super) fn announce_offline(&mut self, sink: &mut dyn PacketSink, thing_name: &str) -> Farewell {
        match self.presence.announce(sink, thing_name, State::Offline) {
            true => Farewell::DiscardWill,
            false => Farewell::PublishWill,
        }
    }

    /// Sends the message that `next` selects.
    pub(super) async fn send(&mut self, next: Next, sink: &mut dyn PacketSink) {
        publisher::send::send(&mut self.publisher, next, sink).await;
    }

    /// Handles an event of the connection. Returns whether the problem may have changed.
    pub(super) async fn handle(&mut self, event: Event, sink: &mut dyn PacketSink, thing_name: &str) -> bool {
        match event {
            Event::Received { packet_id, message } => {
                self.publisher.received();
                self.subscriber.inbound.received(packet_id, message);
            }
            Event::Skipped { packet_id, topic, why } => {
                self.publisher.received();
                self.subscriber.inbound.skipped(packet_id, &topic, &why);
            }
            Event::Subscribed {
                packet_id,
                granted,
                words,
            } => subscriber::answers::handle_suback(&mut self.subscriber, packet_id, &granted, words).await,
            Event::Unsubscribed { packet_id } => {
                subscriber::answers::handle_unsuback(&mut self.subscriber, packet_id).await
            }
            Event::Room => self.publisher.room(),
            Event::Acknowledged { packet_id, reason } => {
                self.publisher.window_moved();
                match self.presence.answered(packet_id, reason.code).await {
                    None => publisher::answers::handle_answer(&mut self.publisher, packet_id, &reason).await,
                    Some(false) => {}
                    Some(true) => {
                        // AWS may allow it in another mode.
                        self.presence.announce(sink, thing_name, State::Online);
                        return true;
                    }
                }
            }
        }
        false
    }
}

/// Returns whether AWS may have closed the connection because of a packet that we sent. Other reasons (a takeover, an overload, a quota,
/// maintenance), and connections that we closed ourselves, blame no packet.
fn may_be_our_packet(lost: &Lost) -> bool {
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
        Lost::GivenUp(_) | Lost::Unanswered | Lost::Stale | Lost::Protocol(_) => false,
    }
}

#[cfg(test)]
mod tests;
