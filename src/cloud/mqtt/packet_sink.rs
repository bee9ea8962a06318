//! The part of a connection that the session hands its packets to. It is a trait so that each part of the session is tested
//! without a broker.

use super::NotSent;
use crate::messages::Message;
use crate::mqtt::ServerLimits;
use crate::qos::Qos;

/// Takes packets to send.
pub trait PacketSink: Send {
    /// The limits that the server has set.
    fn limits(&self) -> &ServerLimits;

    /// Hands a message over for sending, at quality of service 1 if it is to be `acknowledged`, else at 0. The packet ID is that of
    /// the acknowledgement.
    ///
    /// # Errors
    /// As [`publish`](Self::publish) and [`publish_unacknowledged`](Self::publish_unacknowledged).
    fn hand_over(&mut self, message: &Message, acknowledged: bool) -> Result<Option<u16>, NotSent>;

    /// Hands a message over for sending at quality of service 1; the answer comes as [`Event::Acknowledged`](super::Event) with
    /// the packet ID returned here.
    ///
    /// # Errors
    /// When the server takes no more before it has acknowledged another, or does not take this one; with
    /// [`NotSent::BufferFull`] when none is taken before [`Event::Room`](super::Event).
    fn publish(&mut self, message: &Message) -> Result<u16, NotSent> {
        // With an acknowledgement to come there is always a packet ID.
        self.hand_over(message, true)?.ok_or(NotSent::WindowFull)
    }

    /// Hands a message over for sending at quality of service 0; there is no answer.
    ///
    /// # Errors
    /// When it cannot be sent, or with [`NotSent::BufferFull`] not before [`Event::Room`](super::Event).
    fn publish_unacknowledged(&mut self, message: &Message) -> Result<(), NotSent> {
        self.hand_over(message, false).map(drop)
    }

    /// Subscribes to at most [`MAX_FILTERS_PER_PACKET`](super::MAX_FILTERS_PER_PACKET) filters with their quality of service;
    /// the answer comes as [`Event::Subscribed`](super::Event).
    ///
    /// # Errors
    /// When it cannot be sent.
    fn subscribe(&mut self, filters: &[(String, Qos)]) -> Result<u16, NotSent>;

    /// Ends subscriptions; the answer comes as [`Event::Unsubscribed`](super::Event).
    ///
    /// # Errors
    /// When it cannot be sent.
    fn unsubscribe(&mut self, filters: &[String]) -> Result<u16, NotSent>;
}
