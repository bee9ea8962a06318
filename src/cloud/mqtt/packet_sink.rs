//! The sending side of a connection as a trait, so that the parts of the session can be tested without a broker.

use crate::messages::Message;
use crate::mqtt::{NotSent, ServerLimits};
use crate::qos::Qos;

/// Accepts packets for sending.
pub trait PacketSink: Send {
    /// Returns the limits that the server has set.
    fn limits(&self) -> &ServerLimits;

    /// Accepts a message for sending: at QoS 1 if `acknowledged`, else at QoS 0. Returns the packet identifier at QoS 1.
    ///
    /// # Errors
    /// See [`publish`](Self::publish) and [`publish_unacknowledged`](Self::publish_unacknowledged).
    fn accept(&mut self, message: &Message, acknowledged: bool) -> Result<Option<u16>, NotSent>;

    /// Accepts a message for sending at QoS 1. The answer arrives as [`Event::Acknowledged`](super::Event) with the returned
    /// packet identifier.
    ///
    /// # Errors
    /// If the server's receive window is full, or if the server's limits exclude this message. After [`NotSent::BufferFull`] the
    /// caller waits for [`Event::Room`](super::Event).
    fn publish(&mut self, message: &Message) -> Result<u16, NotSent> {
        // At QoS 1 there is always a packet identifier.
        self.accept(message, true)?.ok_or(NotSent::WindowFull)
    }

    /// Accepts a message for sending at QoS 0, which is never answered.
    ///
    /// # Errors
    /// If the server's limits exclude this message. After [`NotSent::BufferFull`] the caller waits for [`Event::Room`](super::Event).
    fn publish_unacknowledged(&mut self, message: &Message) -> Result<(), NotSent> {
        self.accept(message, false).map(drop)
    }

    /// Subscribes to at most [`MAX_FILTERS_PER_PACKET`](super::MAX_FILTERS_PER_PACKET) filters, each with its QoS. The answer
    /// arrives as [`Event::Subscribed`](super::Event).
    ///
    /// # Errors
    /// If the packet cannot be sent.
    fn subscribe(&mut self, filters: &[(String, Qos)]) -> Result<u16, NotSent>;

    /// Unsubscribes from filters. The answer arrives as [`Event::Unsubscribed`](super::Event).
    ///
    /// # Errors
    /// If the packet cannot be sent.
    fn unsubscribe(&mut self, filters: &[String]) -> Result<u16, NotSent>;
}
